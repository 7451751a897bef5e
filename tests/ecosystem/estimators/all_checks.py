"""Run scikit-learn's own checks of estimators, with those of the array API, and print the state of each as JSON.

``SCIPY_ARRAY_API=1 python -m tests.ecosystem.estimators.all_checks``
"""

import json
import warnings

from sklearn.utils.estimator_checks import check_estimator

from funcnn.estimators import AnomalyDetector, Classifier, Encoder, Regressor

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(
        json.dumps(
            {
                type(one).__name__: [
                    [check["check_name"], check["status"], str(check["exception"])]
                    for check in check_estimator(one, on_fail=None, on_skip=None)
                ]
                for one in (AnomalyDetector(), Classifier(), Encoder(), Regressor())
            }
        )
    )
