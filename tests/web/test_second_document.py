"""The second document's own tests: each call and expectation of theirs, written anew."""


def test_jwt_authentication(client):
    """Register, log in, and reach a protected route."""
    registered = client.post(
        "/api/v1/auth/register",
        json={"username": "testuser", "email": "test@example.com", "password": "password123"},
    )
    assert registered.status_code == 201
    login = client.post("/api/v1/auth/login", json={"username": "testuser", "password": "password123"})
    assert login.status_code == 200
    data = login.get_json()
    assert "access_token" in data
    headers = {"Authorization": f"Bearer {data['access_token']}"}
    assert client.get("/api/v1/tts/", headers=headers).status_code == 200


def test_rate_limiting(client, auth_headers):
    """Ten requests generate, the eleventh is told when to come back."""
    for _ in range(10):
        accepted = client.post("/api/v1/tts/generate", headers=auth_headers, json={"text": "test"})
        assert accepted.status_code == 202
        assert accepted.get_json()["message"] == "Audio generation started"
    refused = client.post("/api/v1/tts/generate", headers=auth_headers, json={"text": "test"})
    assert refused.status_code == 429
    assert "retry_after" in refused.get_json()


def test_refresh_revoke_and_key(client, ann):
    """The routes that the document shows without a test: refresh, revoke, api-key."""
    access = {"Authorization": f"Bearer {ann['access_token']}"}
    refresh = {"Authorization": f"Bearer {ann['refresh_token']}"}
    assert "access_token" in client.post("/api/v1/auth/refresh", headers=refresh).get_json()
    key = client.post("/api/v1/auth/api-key", headers=access).get_json()["api_key"]
    assert client.get("/api/v1/tts/", headers={"X-API-Key": key}).status_code == 200
    revoked = client.post("/api/v1/auth/revoke", headers=access)
    assert (revoked.status_code, revoked.get_json()) == (200, {"message": "Token revoked"})
    assert client.post("/api/v1/auth/refresh", headers=refresh).status_code == 401


def test_errors_have_the_documents_three_keys(client, clock, ann):
    """Error, message and code of an invalid and of an expired token are the document's."""
    invalid = client.get("/api/v1/tts/", headers={"Authorization": "Bearer nonsense"}).get_json()
    wanted = {"error": "Authentication failed", "message": "Invalid or malformed token", "code": "INVALID_TOKEN"}
    assert wanted.items() <= invalid.items()
    clock.advance(901)
    expired = client.get("/api/v1/tts/", headers={"Authorization": f"Bearer {ann['access_token']}"}).get_json()
    wanted = {"error": "Authentication failed", "message": "Token has expired", "code": "TOKEN_EXPIRED"}
    assert wanted.items() <= expired.items()
    assert client.get("/api/v1/tts/").get_json()["error"] == "Access token required"
    wrong = client.get("/api/v1/tts/", headers={"X-API-Key": "sk-vg_wrong"}).get_json()
    assert wrong["error"] == "Invalid API key"
