"""The benchmark of the stores: every figure is there; how fast it was is never tested."""

import json

from benchmarks import stores


def test_stores_are_measured_for_speed_and_size(tmp_path, capsys, monkeypatch):
    """Each figure that the page names is in the JSON."""
    monkeypatch.setattr(stores, "SUBJECTS", 10)
    monkeypatch.setattr(stores, "FULL_COUNTERS", 2)
    file = tmp_path / "stores.json"
    assert stores.main(["--only", "sqlite", "--seconds", "0.02", "--keys", "200", "--json", str(file)]) == 0
    figures = json.loads(file.read_text())["voxgate, SQLite"]
    assert {"one limit", "three limits", "refused, limit of 10, full", "one limit, 200 keys"} <= figures.keys()
    assert figures["bytes per key, limit of 1000, full"] > 0
    assert "| one limit |" in capsys.readouterr().out
