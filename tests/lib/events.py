"""events.py PARAMETERS [more [EVENTS [SECONDS]]] - calls vaultd.Events.Follow and prints each answer
on a line. Without `more` page after page, until there are no more; with it until there were as many
EVENTS (0: for ever), and at most SECONDS without any."""
import json, os, socket, sys

def call(s, parameters, more=False):
    s.sendall(json.dumps({"method": "vaultd.Events.Follow", "parameters": parameters,
                          "more": more}).encode() + b"\0")

def answers(s):
    buffered = b""
    while True:
        while b"\0" in buffered:
            one, buffered = buffered.split(b"\0", 1)
            yield json.loads(one)
        got = s.recv(65536)
        if not got:
            return
        buffered += got

def main():
    parameters = json.loads(sys.argv[1])
    more = sys.argv[2:3] == ["more"]
    most = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    s = socket.socket(socket.AF_UNIX)
    s.connect(os.environ["VAULTD_SOCKET"])
    if len(sys.argv) > 4:
        s.settimeout(float(sys.argv[4]))
    call(s, parameters, more)
    n = 0
    for a in answers(s):
        print(json.dumps(a), flush=True)
        n += len(a["parameters"].get("events", []))
        if "error" in a or 0 < most <= n:
            break
        if more:
            if not a.get("continues"):
                break
        elif a["parameters"]["complete"]:
            break
        else:
            call(s, dict(parameters, since=a["parameters"]["last"]))

if __name__ == "__main__":
    main()
