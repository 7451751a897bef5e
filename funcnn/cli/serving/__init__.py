"""What can be asked of a run, of published weights or of an ONNX file: a service each."""
