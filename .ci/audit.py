"""Ask pip-audit for known weaknesses of what constraints.txt pins, and tell what was not looked up.

``python .ci/audit.py PIP-AUDIT``. Of packages that its database does not know, pip-audit says "No
known vulnerabilities found" and ends with code 0. Here 1 is for a weakness, 2 for an audit that
could not be made.
"""

import json
import subprocess
import sys


def main(program: str) -> int:
    """Run the audit, print what was found, return the exit code."""
    command = [program, "--requirement", "constraints.txt", "--disable-pip", "--no-deps"]
    command += ["--format", "json", "--progress-spinner", "off"]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        print(f"NOT AUDITED: there is no {program}; it could not be installed.")
        return 2
    try:
        packages = json.loads(ended.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = (ended.stderr.strip().splitlines() or ["it said nothing"])[-1]
        print(f"NOT AUDITED: pip-audit gave no answer ({last[:200]}).")
        return 2
    return tell(packages)


def tell(packages: list[dict]) -> int:
    """Print what an audit found; return the exit code."""
    skipped = [each["name"] for each in packages if "skip_reason" in each]
    weak = [each for each in packages if each.get("vulns")]
    for each in weak:
        for weakness in each["vulns"]:
            fixed = ", ".join(weakness["fix_versions"]) or "no version yet"
            print(f"{each['name']} {each['version']}: {weakness['id']}, fixed in {fixed}")
    looked_up = len(packages) - len(skipped)
    print(f"{looked_up} of {len(packages)} packages looked up, {len(weak)} with known weaknesses.")
    if skipped:
        some = ", ".join(skipped[:5]) + (", ..." if len(skipped) > 5 else "")
        print(f"NOT AUDITED: the database does not know {len(skipped)} packages ({some}).")
    return 1 if weak else 2 if skipped else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
