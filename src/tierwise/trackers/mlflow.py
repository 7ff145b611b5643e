"""A study in MLflow: an experiment, and in it a run for every trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tierwise.extras import needed

if TYPE_CHECKING:
    from tierwise.history import Trial
    from tierwise.study import Study


class MLflow:
    """target: MLflow's tracking URI, a server or a database; ``mlflow ui --backend-store-uri TARGET`` shows it."""

    def __init__(self, target: str = "sqlite:///runs/mlflow.db"):
        mlflow = needed("mlflow", "tracker 'mlflow'", "mlflow", "mlflow")
        self._client, self._experiments = mlflow.MlflowClient(target), dict[str, str]()

    def on_tell(self, study: Study, trial: Trial) -> None:
        """A finished run: choices as parameters, metrics at the step of the trial's number."""
        client, experiment = self._client, self._experiment(str(study.path or "study in memory"))
        tags = {"architecture": trial.arch.gene_text, "tierwise.trial": str(trial.id)}
        run = client.create_run(experiment, run_name=f"trial {trial.id}", tags=tags).info.run_id
        for choice, gene in zip(study.space.choices, trial.arch.genes, strict=True):
            client.log_param(run, choice.path, choice.options[gene] if gene >= 0 else "")
        for name, value in trial.metrics.items():
            client.log_metric(run, name, value, step=trial.id)
        if trial.error is not None:
            client.set_tag(run, "error", trial.error[-5000:])
        client.set_terminated(run, "FINISHED" if trial.error is None else "FAILED")

    def _experiment(self, name: str) -> str:
        """The experiment of this name, made where there is none."""
        if name not in self._experiments:
            known = self._client.get_experiment_by_name(name)
            self._experiments[name] = known.experiment_id if known else self._client.create_experiment(name)
        return self._experiments[name]

    def close(self) -> None:
        """Nothing is open."""
