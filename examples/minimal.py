"""A guarded Flask application in ten lines of code: log in, then say hello ten times a minute.

Start it with ``python examples/minimal.py`` or ``flask --app examples/minimal.py run``.
"""

from flask import Flask

from voxgate.gate import Gate

app = Flask(__name__)
gate = Gate(app)


@app.post("/login/<name>")
@gate.open(limits="3 per minute")
def login(name: str) -> dict[str, str]:  # secure_api.py checks a password here
    return {"access_token": gate.issuer.open_session(name).access_token}


@app.get("/hello")
@gate.protect(limits="10 per minute")
def hello() -> dict[str, str]:
    return {"hello": gate.principal.subject}


if __name__ == "__main__":
    app.run()
