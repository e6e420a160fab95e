"""scripts/cluster console: the link to a node's console, and what stands in its way if it does not answer."""

import http.client

import cluster_view
from cluster_model import Failure

ASK_SECONDS = 2.0


def answers(host, port):
    """What is wrong with the page there; "" if it is served."""
    connection = http.client.HTTPConnection(host, port, timeout=ASK_SECONDS)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        return f"{host}:{port} does not answer HTTP ({error}): http-port taken, or http-bind elsewhere?"
    finally:
        connection.close()
    if answer.status == 404:
        return f"{host}:{port} shows no console: http-console is no"
    return "" if answer.status == 200 else f"{host}:{port} answers {answer.status}"


def console(cluster, options):
    """The first node that shows one, or node N."""
    nodes = cluster_view.nodes_of(cluster, options)
    if options.node:
        nodes = [node for node in nodes if node.number == options.node] or nodes[:0]
    if not nodes:
        raise Failure("which node? scripts/cluster status shows them")
    problems = []
    for node in nodes:
        node.ask(options=True)
        port = cluster_view.http_port(node)
        if not node.info:
            problems.append(f"{node.name}: {node.silent}")
        elif not port:
            problems.append(f"{node.name} has no HTTP port" + (" (http-port 0)" if port == 0 else ""))
        elif problem := answers(node.host, port):
            problems.append(f"{node.name}: {problem}")
        else:
            print(f"http://{'localhost' if node.host == '127.0.0.1' else node.host}:{port}/")
            return
    raise Failure("no console: " + "; ".join(problems))
