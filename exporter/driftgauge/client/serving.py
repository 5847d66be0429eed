"""A pyfunc model for `mlflow models serve` that is another model, monitored.

Logged to MLflow like any model, it loads the model that its `model_config` names when a server starts, returns that
model's predictions, and logs them. Importing this module imports MLflow.
"""

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
from mlflow.pyfunc import PythonModel

from driftgauge.client.monitored import MonitoredModel
from driftgauge.schema import SPELLINGS

_ID_COLUMN: Final = "request_id_column"


class ServedModel(PythonModel):  # type: ignore[misc] # MLflow's types are not followed
    """The model at `model_uri`, logging to `experiment_name`; `model_config` has the arguments of `MonitoredModel`.

    request_id_column: the column of a request that holds the rows' ids; the model does not get it. Default
    "request_id". Requests without it are logged under generated ids, so no label can refer to them.
    """

    def load_context(self, context: Any) -> None:
        """Load the model that `context.model_config` names; an alias is resolved once, now."""
        config = dict(context.model_config or {})
        self._id_column = config.pop(_ID_COLUMN, SPELLINGS["request_id"][0])
        self._model = MonitoredModel(**config)

    # MLflow checks the names of the arguments. It warns about type hints that it would enforce, and about missing ones.
    def predict(
        self,
        context: Any,  # noqa: ARG002 - see above
        model_input: pd.DataFrame,
        params: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return what the model returns for the request, a data frame or tensors, and log it."""
        request_ids = None
        if self._id_column in getattr(model_input, "columns", ()):
            request_ids = list(model_input[self._id_column])
            model_input = model_input.drop(columns=[self._id_column])
        return self._model.predict(model_input, request_ids, params=params)
