"""Rated data of other packages, which stay in ../shared: read into modalities x readers x cases, NaN = not read."""

import pandas as pd


def mrmcaov(shared, name):
    """A data set of MRMCaov: one row a rating, columns reader, treatment, case, truth, rating."""
    table = pd.read_csv(shared / "oracles" / "data" / f"{name}.csv")
    truth = table.groupby("case").truth.first()
    return _cube(table, ["treatment", "reader", "case", "rating"], truth), truth.to_numpy()


def imrmc(shared, name):
    """A data set of iMRMC: one row a score, and rows of modality "truth"."""
    table = pd.read_csv(shared / "oracles" / "data" / f"{name}.csv")
    is_truth = table.modalityID == "truth"
    truth = table[is_truth].set_index("caseID").score.sort_index()
    return _cube(table[~is_truth], ["modalityID", "readerID", "caseID", "score"], truth), truth.to_numpy()


def _cube(table, columns, truth):
    modality, reader, _, value = columns
    modalities, readers = sorted(table[modality].unique()), sorted(table[reader].unique())
    index = pd.MultiIndex.from_product([modalities, readers, truth.index], names=columns[:3])
    return table.set_index(columns[:3])[value].reindex(index).to_numpy(float).reshape(len(modalities), len(readers), -1)
