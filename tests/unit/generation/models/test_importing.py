from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.untraced
def test_who_asks_no_model_does_not_pay_for_it():
    """Neither HTTP nor prices nor ciphers are imported before a model is asked for."""
    script = (
        "import sys; from pathlib import Path\n"
        "from kaynak.catalog import MasterKeys, Secrets\n"
        "from kaynak.generation.models import Keys, Ledger, Models, ModelsConfig, Spending\n"
        "ledger = Ledger(None)\n"
        "keys = Keys(None, Secrets(None, MasterKeys(Path('none'))), {})\n"
        "Models(ModelsConfig(), keys, ledger), Spending(None, ledger)\n"
        "heavy = {'httpx', 'genai_prices', 'cryptography'} & sys.modules.keys()\n"
        "sys.exit(f'{heavy} imported' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
