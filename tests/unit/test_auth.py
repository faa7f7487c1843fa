import pytest

from ai_ops.server.auth import Keyring, Scope, is_loopback, require_safe_listening


def test_each_key_opens_what_it_is_for():
    keys = Keyring("server", ("agent-1", "agent-2"))
    assert keys.scopes("server") == frozenset(Scope)
    assert keys.scopes("agent-1") == keys.scopes("agent-2") == {Scope.EVENTS}
    assert keys.scopes("guess") == keys.scopes("") == keys.scopes("\udcff") == frozenset()
    assert not keys.open


def test_an_empty_agent_key_is_no_key():
    assert Keyring("server", ("", "agent")).scopes("") == frozenset()


def test_without_a_server_key_the_server_is_open_but_a_key_is_still_held_to_its_scope():
    keys = Keyring("", ("agent",))
    assert keys.open
    assert keys.scopes("agent") == {Scope.EVENTS}
    assert keys.scopes("") == frozenset()


def test_keys_are_not_kept_as_they_are():
    assert "plain-key" not in repr(vars(Keyring("plain-key", ("plain-key",))))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1", "[::1]"])
def test_loopback_is_this_machine_only(host):
    assert is_loopback(host)
    require_safe_listening(host, "")


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "::", "10.0.0.1", "example.org", "localhost.example.org", "127.0.0.1.nip.io"]
)
def test_beyond_loopback_a_key_is_needed(host):
    assert not is_loopback(host)
    with pytest.raises(ValueError, match="SERVER_API_KEY"):
        require_safe_listening(host, "")
    require_safe_listening(host, "a-key")
