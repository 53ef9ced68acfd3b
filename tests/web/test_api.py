from __future__ import annotations
def test_in_process(client, stranger, reader):
    assert client.get("/").status_code == 200
    assert stranger.get("/").status_code == 401
    assert reader.get("/").status_code == 200
def test_server(server):
    with server.client() as client:
        assert client.get("/").status_code == 200
