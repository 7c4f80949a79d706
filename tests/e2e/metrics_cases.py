# SPDX-License-Identifier: BSD-2-Clause
"""metrics_cases.py - metrics, rules and dashboard with real Prometheus and Alertmanager.

A leaking program is scraped, its rule fires, Alertmanager tells a webhook of it, and tells it
again when the leak is over. What is shipped in deploy/ is what is tested.
"""
import json
import re
import shutil
import subprocess
import threading
import urllib.error
import urllib.parse

from harness import ROOT, Agent, Program, expect, run, wait_for
from servers import Receiver, Server, alertmanager, free_port, get, http_port, need

RULES = ROOT / "deploy/alerts/seep.rules.yml"
RULE_TESTS = ROOT / "deploy/alerts/seep.rules.test.yml"
DASHBOARD = ROOT / "deploy/dashboards/seep.json"
DOCS = ROOT / "docs/metrics.md"
WINDOW_S = 30
LEAK_TIMEOUT_S = 120
NAME = re.compile(r"\bseep_[a-z0-9_]+")
LABELS = {"pid", "comm", "cgroup", "container", "pod", "namespace", "workload", "image", "id",
          "severity", "object", "site", "state", "kind", "reason", "map", "target", "version",
          "node", "verdict", "class"}
VARIABLES = {"$__rate_interval": "1m", "$instance": ".*", "$namespace": ".*"}


def prometheus(directory, agent_port, alertmanager_port):
    port = free_port()
    config = directory / "prometheus.json"
    directory.mkdir(parents=True, exist_ok=True)
    config.write_text(json.dumps({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "alerting": {"alertmanagers": [
            {"static_configs": [{"targets": [f"127.0.0.1:{alertmanager_port}"]}]}]},
        "scrape_configs": [
            {"job_name": "seep", "static_configs": [{"targets": [f"127.0.0.1:{agent_port}"]}]}],
    }))
    server = Server(directory, shutil.which("prometheus"), f"--config.file={config}",
                    f"--storage.tsdb.path={directory}/data",
                    f"--web.listen-address=127.0.0.1:{port}")
    server.port = port
    return server


def query(port, text):
    """The result of an instant query; whatever Prometheus objects to is the failure."""
    try:
        answer = get(port, "/api/v1/query?" + urllib.parse.urlencode({"query": text}))
    except urllib.error.HTTPError as error:
        answer = error.read().decode()
    answer = json.loads(answer)
    expect(answer["status"] == "success", f"{text}: {answer.get('error')}")
    return answer["data"]["result"]


def documented():
    return set(NAME.findall(DOCS.read_text(encoding="utf-8")))


def dashboard_queries():
    """Title and expression of every query, with the variables filled in."""
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        for target in panel.get("targets", []):
            text = target["expr"]
            for name, value in VARIABLES.items():
                text = text.replace(name, value)
            yield panel["title"], text


def check_text(directory, agent):
    """promtool finds nothing to say, and each name is explained in docs/metrics.md."""
    need("promtool")
    text = get(http_port(agent), "/metrics")
    answer = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True,
                            text=True, timeout=60, check=False)
    expect(answer.returncode == 0 and not answer.stdout + answer.stderr,
           f"promtool: {answer.stdout}{answer.stderr}")
    told = set(re.findall(r"^# TYPE (\S+)", text, re.M))
    expect(told <= documented(), f"not in {DOCS.name}: {sorted(told - documented())}")


def check_rules(directory, agent):
    """The rules parse, every one of them has a test, and the tests pass."""
    need("promtool")
    for args in (["check", "rules", RULES], ["test", "rules", RULE_TESTS]):
        answer = run(["promtool", *args], timeout_s=60)
        expect(answer.returncode == 0, f"promtool {args}: {answer.stdout}{answer.stderr}")
    rules, tests = RULES.read_text(encoding="utf-8"), RULE_TESTS.read_text(encoding="utf-8")
    for name in re.findall(r"- (?:alert|record): (\S+)", rules):
        expect(re.search(rf"(alertname|expr): {name}\n *exp_", tests) or
               re.search(rf"expr: {name}\n", tests), f"no test expects {name}")
    unknown = set(NAME.findall(rules)) - documented()
    expect(not unknown, f"rules use what is not in {DOCS.name}: {unknown}")


def check_dashboard(prom_port):
    """Every query runs, and asks for metrics that exist."""
    empty = []
    for title, text in dashboard_queries():
        unknown = set(NAME.findall(text)) - documented()
        expect(not unknown, f"'{title}' asks for {unknown}")
        if not query(prom_port, text):
            empty.append(title)
    for title in ("Open incidents", "Open incidents by object", "Nodes watched", "Memory",
                  "Fastest growth, per hour", "Memory of suspects", "Lost, by reason"):
        expect(title not in empty or title.startswith("Lost"), f"'{title}' shows nothing")


def told_of(hook, status, pid):
    """Alerts of this status that Alertmanager has told the hook of our program."""
    return [alert for body in hook.bodies() for alert in body["alerts"]
            if alert["status"] == status and alert["labels"]["alertname"] == "SeepMemoryLeak"
            and alert["labels"].get("pid") == str(pid)]


def check_fires(prom_port, hook, leak):
    def firing():
        expect(leak.process.poll() is None, "the program ended")
        return told_of(hook, "firing", leak.pid)

    alert = wait_for("Alertmanager tells of the leak", firing, LEAK_TIMEOUT_S)[0]
    labels, notes = alert["labels"], alert["annotations"]
    expect(labels["comm"] == "leak_linear" and labels["severity"] in ("warning", "critical") and
           labels["cgroup"] and labels["job"] == "seep", f"labels {labels}")
    expect(notes["summary"].startswith(f"leak_linear[{leak.pid}] on 127.0.0.1:"), f"{notes}")
    expect("leaked so far" in notes["description"], f"{notes}")
    mine = f'{{pid="{leak.pid}"}}'
    expect(query(prom_port, f"seep_process_leaking{mine} == 1"), "seep_process_leaking is not 1")
    growth = float(query(prom_port, f"seep_process_growth_bytes_per_second{mine}")[0]["value"][1])
    expect(growth > 1e5, f"growth of {growth} bytes per second")


def check_resolves(prom_port, hook, leak):
    leak.kill()
    wait_for("the alert resolves", lambda: told_of(hook, "resolved", leak.pid), LEAK_TIMEOUT_S)
    expect(not query(prom_port, f'ALERTS{{pid="{leak.pid}"}}'), "it still stands in ALERTS")


def numbers_of(request):
    """{name: the numbers of its points} of one OTLP request; any other shape is an error."""
    resource, = request["resourceMetrics"]
    attributes = {one["key"]: one["value"]["stringValue"]
                  for one in resource["resource"]["attributes"]}
    expect(attributes["service.name"] == "seep" and attributes["host.name"], f"{attributes}")
    scope, = resource["scopeMetrics"]
    numbers = {}
    for metric in scope["metrics"]:
        kind = "sum" if metric["name"].endswith("_total") else "gauge"
        for point in metric[kind]["dataPoints"]:
            expect(int(point["timeUnixNano"]) > 10**18, f"{point}")
            expect({one["key"] for one in point["attributes"]} <= LABELS, f"{point}")
            numbers.setdefault(metric["name"], []).append(point["asDouble"])
        if kind == "sum":
            expect(metric[kind]["aggregationTemporality"] == 2 and metric[kind]["isMonotonic"],
                   f"{metric}")
    return numbers


def check_otlp(directory):
    """Metrics are pushed; a collector that hangs or fails stalls no poll, and is told of."""
    patience = threading.Event()

    def hang(request):
        patience.wait(60)
        request.reply(503)

    with Receiver() as collector:
        collector.answer = hang
        with Agent(directory, "--no-drill", "--otlp", collector.url, "--otlp-interval",
                   "200ms") as agent:
            wait_for("a push", lambda: collector.posts, 30)
            polls = agent.polls()
            wait_for("polls go on meanwhile", lambda: agent.polls() > polls + 10, 30)
            expect(agent.json("status", "status")["otlp"]["sent"] == 0, "it was answered")
            expect(len(collector.posts) == 1, "another push while the first one hangs")
            collector.answer = lambda request: request.reply(200)
            patience.set()
            wait_for("pushes that are taken",
                     lambda: agent.json("status", "status")["otlp"]["sent"] >= 3, 30)
            told = agent.json("status", "status")["otlp"]
            expect(told["failed"] == 1 and told["skipped"] > 0 and not told["last_error"], f"{told}")
            log = agent.log.read_text()
            expect("HTTP status 503" in log and "pushed again" in log, log)
        numbers = numbers_of(collector.bodies()[-1])
        expect(set(numbers) <= documented() and numbers["seep_polls_total"][0] > 10 and
               max(numbers["seep_process_memory_bytes"]) > 1e6, f"{sorted(numbers)}")


def run_servers(results, directory, agent, leak):
    need("prometheus", "prometheus-alertmanager")
    with Receiver() as hook, \
            alertmanager(directory / "alertmanager", hook.url) as am, \
            prometheus(directory / "prometheus", http_port(agent), am.port) as prom:
        am.await_ready(am.port)
        prom.await_ready(prom.port)
        with results.case("metrics: a leak becomes an alert in Alertmanager"):
            check_fires(prom.port, hook, leak)
        with results.case("metrics: every query of the dashboard runs"):
            check_dashboard(prom.port)
        with results.case("metrics: the alert resolves after the leak"):
            check_resolves(prom.port, hook, leak)


def run_all(results, directory):
    with results.case("metrics: pushed to a collector that hangs, fails, and recovers"):
        check_otlp(directory / "otlp")
    leak = Program("leak", ["build/tests/workloads/leak_linear"])
    leak.start()
    with results.case("metrics: servers"), \
            Agent(directory / "agent", "--listen", "127.0.0.1:0", "--window", f"{WINDOW_S}s",
                  "--interval", "100ms", "--no-drill") as agent:
        with results.case("metrics: promtool is content, and every name is documented"):
            check_text(directory, agent)
        with results.case("metrics: the alerting rules and their tests"):
            check_rules(directory, agent)
        run_servers(results, directory, agent, leak)
    leak.kill()
