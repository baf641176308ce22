# Runs the snippet on each case that stands in cases.json, and prints what it says.
import json
import sys

from snippet import verify

for case in json.load(open("cases.json")):
    try:
        event = verify(case["secret"], case["headers"], case["body"].encode())
        verdict = "accepted" if event == json.loads(case["body"]) else f"returned {event}"
    except Exception as refusal:
        verdict = "refused"
        print(f"{case['name']}: {refusal!r}", file=sys.stderr)
    print(f"{case['name']}: {verdict}")
