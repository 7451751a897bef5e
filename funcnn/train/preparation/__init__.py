"""Everything that fit checks and decides before its first step."""
