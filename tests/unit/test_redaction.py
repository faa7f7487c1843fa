"""Redaction: secrets and personal data go, what only looks like them stays."""

from __future__ import annotations

import base64
import json
import random
import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ai_ops.core.redaction import Redactor, redact, tokens
from ai_ops.core.redaction.mask import mask

# Put together here, so that no scanner takes the test for a leak.
RANDOM = "a1B2c3D4e5F6" * 3
JWT = "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "dozjgNryP4J3jVmNHl0w5N"
PEM = "-----BEGIN {0}PRIVATE KEY-----{1}MIIEpAIBAAKCAQEA{1}aGVsbG8={1}-----END {0}PRIVATE KEY-----"

TOKENS = [
    "ghp_" + RANDOM,
    "gho_" + RANDOM,
    "ghs_" + RANDOM,
    "github_pat_" + "11ABCDE_" * 8,
    "glpat-" + "x1Y2z3-abcdefghijklm",
    "sk-ant-api03-" + RANDOM,
    "sk-proj-" + RANDOM,
    "sk-" + RANDOM,
    "AKIA" + "IOSFODNN7EXAMPLE",
    "xoxb-" + "123456789012-1234567890123-abcDEFghiJKL",
    "sk_live_" + RANDOM,
    "rk_test_" + RANDOM,
    "whsec_" + RANDOM,
    "AIza" + "SyA-1234567890abcdefghijklmnopqrstu",
    "npm_" + RANDOM,
    "hf_" + RANDOM,
    "SG." + "abcdefghijklmnopqrst." + RANDOM,
    "LTAI" + "5tAbCdEfGhIjKlMnOpQr",
    "123456789:AA" + RANDOM,
    "xkeysib-" + "0123456789abcdef" * 4,
    "pul-" + "0123456789" * 4,
    "sbp_" + "0123456789" * 4,
    "nfp_" + RANDOM,
    "CCIPAT_" + RANDOM,
    "pcsk_" + RANDOM,
    "lsv2_pt_" + RANDOM,
    "AKCp" + RANDOM,
    "oy2" + "a" * 42 + "1",
    "cio" + RANDOM[:32],
    "secret_" + (RANDOM * 2)[:43],
    "HRKU-" + RANDOM,
    "dp.pt." + (RANDOM * 2)[:43],
    "figd_" + RANDOM,
    "rzp_live_" + RANDOM[:14],
    "EAAA" + RANDOM * 2,
    "hvs." + RANDOM,
    JWT,
]


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token[:8])
@pytest.mark.parametrize(
    "around", ["{}", "got {} back", '"{}"', "x={},", "https://h/?k={}&z=1", "\\n{}\\n", "({})", "中{}文"]
)
def test_a_token_is_known_by_its_shape_wherever_it_stands(token: str, around: str) -> None:
    text = redact(around.format(token))
    assert token[:-4] not in text
    assert "***" in text


ASSIGNED = [
    ("password=hunter2", "hunter2"),
    ("password: hunter2", "hunter2"),
    ("Password = hunter2!", "hunter2"),
    ("password=mypassword", "mypassword"),
    ("password=a,b;c done", "a,b;c"),
    ("password=p@ss)word", "p@ss"),
    ("DB_PASSWORD=s3cr3t", "s3cr3t"),
    ("spring.datasource.password=letmein", "letmein"),
    ("userPassword='letmein'", "letmein"),
    ("pwd='it\\'s'", "it\\'s"),
    ('{"password": "hunter2 with space"}', "hunter2"),
    ("{'password': 'hunter2'}", "hunter2"),
    ('{\\"password\\":\\"hunter2\\"}', "hunter2"),
    ('{"password": 123456}', "123456"),
    ('"secret": "abc"', "abc"),
    ("User(name=bob, password=hunter2)", "hunter2"),
    ("{user=bob, password=hunter2, id=3}", "hunter2"),
    ('password=>"hunter2"', "hunter2"),
    ("<password>hunter2</password>", "hunter2"),
    ("密码：hunter2", "hunter2"),
    ("GET /login?user=bob&password=letmein&x=1", "letmein"),
    ("GET /cb?token=abc123def456&x=1", "abc123def456"),
    ("https://x.blob.example/c?sv=2020&sig=abcDEF123%2Bxyz%3D&se=1", "abcDEF123"),
    ("X-Amz-Signature=abcdef0123456789abcdef", "abcdef012"),
    ("client_secret=abcDEF", "abcDEF"),
    ("clientSecret: 'abcDEF'", "abcDEF"),
    ("api_key=abc", "abc"),
    ("SECRET_KEY='django-insecure-abc123'", "insecure"),
    ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalrXUtn"),
    ("AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IF==", "Eby8vdM02"),
    ("refresh_token=1//0abcdefGHIJ", "0abcdefGH"),
    ("sessionid=k3j4h5k3j4h5", "k3j4h5"),
    ("smtp_pass=Winter2024", "Winter2024"),
    ("otp=123456", "123456"),
    ("cvv=123", "123"),
    ("Server=h;User Id=sa;Password=My$trong1;Encrypt=no", "My$trong1"),
    ("host=h user=u password=tiger1 dbname=x", "tiger1"),
    ("Authorization: Bearer abc123def456ghi789", "abc123def456"),
    ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNz"),
    ("'Authorization': 'Bearer abc123def456ghi789'", "abc123def456"),
    ('"authorization":"Token 9944b09199c62bcf9418ad846dd0e4bb"', "9944b09"),
    ("Proxy-Authorization: Basic YWxhZGRpbjpvcGVuc2VzYW1l", "YWxhZGRpbjpv"),
    ("Cookie: sid=abc123; theme=dark", "abc123"),
    ("Set-Cookie: session=eyabc123; Path=/; HttpOnly", "eyabc123"),
    ("X-API-Key: 1234567890abcdef", "1234567890ab"),
    ("X-Auth-Token: a1b2c3d4e5f6", "a1b2c3d4"),
    ("PRIVATE-TOKEN: 9koXpg98eAheJpvBs5tK", "9koXpg98"),
    ("curl -u admin:hunter2 https://x", "hunter2"),
    ("mysql --password=hunter2 -h x", "hunter2"),
    ("tool --token abc123def456", "abc123def"),
    ("tool --db-password hunter2 --x", "hunter2"),
    ("CREATE USER x IDENTIFIED BY 'hunter2'", "hunter2"),
    ("postgres://app:s3cretpw@db:5432/x", "s3cretpw"),
    ("redis://:p4ss@cache:6379/0", "p4ss"),
    ("mongodb+srv://u:p%40ss@h.example.net", "p%40ss"),
    ("mysql://root:pa@ss@127.0.0.1/db", "pa@ss"),
    ("app:secretpw@tcp(10.0.0.1:3306)/db", "secretpw"),
    ("jdbc:oracle:thin:scott/tiger@//h:1521/x", "tiger"),
    ("https://hooks.slack.com/services/" + "T00000000/B00000000/XXXXXXXXXXXXXXXX", "T00000000"),
    ("0123456789abcdef" * 2 + "-us12", "0123456789abcdef"),
    ("abc8Q~" + RANDOM[:33], RANDOM[:20]),
    ("https://discord.com/api/webhooks/123/" + RANDOM, RANDOM[:20]),
    ("the password is hunter2!", "hunter2"),
    ("密码是abc123", "abc123"),
    ('<add key="Password" value="hunter2"/>', "hunter2"),
    ('{"name": "DB_PASSWORD", "value": "x"}', '"x"'),
    ("DB_PASS: 'x1'", "x1"),
    ("MYSQL_PWD=hunter2", "hunter2"),
    ("sshpass -p hunter2 ssh h", "hunter2"),
    ("mysql -u root -phunter2 shop", "hunter2"),
    ("redis-cli -h x -a hunter2 ping", "hunter2"),
    ("smtp://me%40x.org:s3cr3t@h:587", "s3cr3t"),
    ("SharedAccessKey=abcDEF123456=", "abcDEF"),
    ("Cookie: JSESSIONID=ABCDEF123456; a=b", "ABCDEF123456"),
    ("pwd:hunter2", "hunter2"),
    ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    ("{'Authorization': 'Basic dXNlcjpwYXNz'}", "dXNlcjpwYXNz"),
    ('{\\"authorization\\": \\"Bearer abcdef\\"}', "abcdef"),
    ("HTTP_AUTHORIZATION=Token abcdefgh", "abcdefgh"),
    ("Proxy-Authorization: Basic%20dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    ("('Authorization', 'Basic dXNlcjpwYXNz')", "dXNlcjpwYXNz"),
    ("Command '['mysqldump', '--password', 'letmein', 'shop']' returned", "letmein"),
    ('["mysqldump","--password","let me in"]', "let me in"),
    ("Command '['mysqldump', '-uroot', '-pletmein', 'shop']' returned", "letmein"),
    ("['mariadb-dump', '-pletmein']", "letmein"),
    ("['sshpass', '-p', 'letmein', 'ssh']", "letmein"),
    ("['redis-cli', '-h', 'x', '-a', 'letmein']", "letmein"),
    ("['curl', '-u', 'bob:letmein', 'x']", "letmein"),
    ("['curl', '--user', 'bob:letmein', 'x']", "letmein"),
    ("postgres://app:pa/ss@db:5432/x", "pa/ss"),
    ("redis://:pa/s/s@db", "pa/s/s"),
    ("password%3Dhunter2", "hunter2"),
    ("q=a%26password%253dhunter2", "hunter2"),
    (PEM.format("RSA ", "\n"), "MIIE"),
    ("[(b'host', b'h'), (b'x-api-key', b'a1B2c3D4e5F6')]", "a1B2c3"),
    ("headers: [('X-Auth-Token', 'a1B2c3D4e5F6'), ('accept', '*/*')]", "a1B2c3"),
    ('[["Accept","a"],["x-api-key","a1B2c3D4e5F6"]]', "a1B2c3"),
    ("[(b'cookie', b'shop=a1B2c3D4e5F6; theme=dark')]", "a1B2c3"),
    ("return_value=(200, [(b'Set-Cookie', b'shop=a1B2c3D4e5F6; Path=/')])", "a1B2c3"),
    ('{"X-Api-Key":["a1B2c3D4e5F6"],"Accept":["a"]}', "a1B2c3"),
    ('{"Cookie":["shop=a1B2c3D4e5F6"]}', "a1B2c3"),
    ('{"url":"https://h/?password\\u003dhunter2\\u0026x\\u003d1"}', "hunter2"),
    ("key=" + PEM.format("", "\\n"), "MIIE"),
    ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk", "b3Blbn"),
    ('{\n  "password":\n    "hunter2"\n}', "hunter2"),
    ('{\r\n  "password":\r\n    "hunter2",\r\n}', "hunter2"),
    ('{\n  "password": {\n    "value": "hunter2"\n  }\n}', "hunter2"),
    ('{\n  "passwords": [\n    "hunter2"\n  ]\n}', "hunter2"),
    ('{"password": {"value": "hunter2"}}', "hunter2"),
    ('{"password": {"type": "text", "value": "hunter2"}}', "hunter2"),
    ('{\\"password\\": {\\"value\\": \\"hunter2\\"}}', "hunter2"),
    ("env:\n- name: DB_PASSWORD\n  value: hunter2", "hunter2"),
    ('env:\n- name: "DB_PASSWORD"\n  value: "hunter2"', "hunter2"),
    ('"name": "DB_PASSWORD",\n  "value": "hunter2"', "hunter2"),
    ("Env:[{Name:DB_PASSWORD Value:hunter2 ValueFrom:nil}]", "hunter2"),
    ("- {name: DB_PASSWORD, value: hunter2}", "hunter2"),
    ("stringData:\n  password: |\n    hunter2", "hunter2"),
    ('array(1) {\n  ["password"]=>\n  string(7) "hunter2"\n}', "hunter2"),
    ('["password"]=> string(7) "hunter2"', "hunter2"),
    ("Array\n(\n    [password] => hunter2\n)", "hunter2"),
    ("password\u00a0=\u00a0hunter2", "hunter2"),
    ("password:\u00a0hunter2", "hunter2"),
    ("password -> hunter2", "hunter2"),
    ("INSERT INTO users (id, mail, password) VALUES (1, 'a', 'hunter2')", "hunter2"),
    ("insert into `users` (`password`, `id`) values ('it''s,(x', 1), ('hunter2', 2)", "hunter2"),
    ("insert into users (password, id) values ('it''s,(x', 1), ('hunter2', 2)", "it''s"),
    ('INSERT INTO u ("id", "api_key")\nVALUES\n  (1, \'abcdef1\')', "abcdef1"),
    ("INSERT IGNORE INTO u (pin, password) VALUES (NOW(), 123456);", "123456"),
]


@pytest.mark.parametrize(("text", "secret"), ASSIGNED, ids=[text[:32] for text, _ in ASSIGNED])
def test_a_secret_is_known_by_the_name_or_place_it_is_given(text: str, secret: str) -> None:
    redacted = redact(f"2026-01-02 03:04:05 ERROR {text}")
    assert secret not in redacted
    assert "***" in redacted
    assert redacted.startswith("2026-01-02 03:04:05 ERROR ")


PERSONAL = [
    ("mail alice@example.com now", "alice"),
    ("\\nalice@example.com\\n", "alice"),
    ("\\n13812345678\\n", "13812345678"),
    ("email=alice%40example.com", "alice"),
    ("<a.b+c@mail.example.co.uk>", "a.b+c"),
    ("phone 13812345678", "13812345678"),
    ("+86 138-1234-5678", "138-1234"),
    ("+8613812345678", "13812345678"),
    ("手机号13812345678。", "13812345678"),
    ('{"phone":13912345678}', "13912345678"),
    ("id 11010519491231002X", "11010519491231002"),
    ("身份证：11010519491231002X。", "11010519491231002"),
    ("card 4111111111111111", "4111111111111111"),
    ("card 4111-1111-1111-1111", "4111-1111"),
    ("5500 0000 0000 0004", "5500 0000"),
    ("amex 378282246310005", "378282246310005"),
    ("amex 3782 822463 10005", "822463"),
    ("IBAN DE89370400440532013000", "DE8937"),
    ("DE89 3704 0044 0532 0130 00 PAID", "DE89 3704"),
    ("GB82 WEST 1234 5698 7654 32", "GB82 WEST"),
]


@pytest.mark.parametrize(("text", "private"), PERSONAL, ids=[text for text, _ in PERSONAL])
def test_personal_data_is_masked(text: str, private: str) -> None:
    assert private not in redact(text)


LOOK_ALIKES = """
commit 5f23716a1b2c3d4e5f60718293a4b5c6d7e8f901 merged
trace 550e8400-e29b-41d4-a716-446655440000
2026-01-02T03:04:05.678Z INFO ok
1704164645678 ms, 1704164645 s
version 1.2.3-rc.4+build.567
order 1234567890123456 failed
order 4111111111111112 failed
order 12812345678 and 9876543210987
  File "/srv/app/tokens/auth.py", line 12, in password_reset
    at com.acme.auth.TokenService.password(TokenService.java:42)
token: expected ')'
unexpected token: EOF
SyntaxError: Unexpected token '<' in JSON at position 0
invalid token: missing
password: must be at least 8 characters
invalid password for user bob
secret: not found
max_tokens=4096 tokens: 128 token_count=12345 token_type=bearer
Bearer authentication required, Basic authentication failed
authorization: required for this resource
WWW-Authenticate: Basic realm="x"
cookie: invalid
KeyError: 'password'
duplicate key value violates unique constraint "users_pkey"
Key (email)=(x) already exists
cache key: user:42:profile
private_key: /etc/ssl/private.pem
    password = os.environ["DB_PASSWORD"]
    token = request.headers.get('X-Token')
    api_key=settings.API_KEY,
    self.password = password
    return login(user, password=password)
    token = self._lexer.next_token()
    password = getpass.getpass('Password: ')
    self.user, self.password = credentials
    if password == answer:
    print('secret:'+value1)
    print('Password: ' + hint)
git@github.com:acme/shop.git
https://github.com/acme/shop.git
http://host:8080/a@b
react@18.2.0 icon@2x.png com.foo.Bar@1a2b3c4d
[Ljava.lang.String;@5e2de80c
sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
ETag: "33a64df551425fcc55e4d42a148795d9f25f89d4"
0x7fff5fbff8a0 10.0.0.1:5432 fe80::1ff:fe23:4567:890a
sk-button-primary-large-rounded task-123-abc
US1234567890 GB123 DE00370400440532013000
3.141592653589793238 0.13812345678
110105194912310021
pass: 12, fail: 3
passed=12 failed=0
password=None password=*** password=[FILTERED] token=<redacted>
"password": null
author=bob authenticated user=42 keyboard=qwerty1 monkey=banana12 design=flat2024
token_expires_at=2026-01-02 password_changed_at=2026-01-02T03:04:05 secret_name=db-creds-prod1
SELECT * FROM t WHERE password = ? AND token = $1
password=${DB_PASSWORD} secret: {{ .Values.secret }} password=%s
java.lang.IllegalStateException: Token has expired
signature: verification failed, csrf token missing, otp: expired, auth: ldap
blk_-1608999687919862906 /10.251.73.220:50010
jdbc:postgresql://db:5432/x
panicked at src/key.rs:41:30
/rustc/90b35a6239c3d8bdabc530a6a0816f7ff89a0aaf/library/std/src/panicking.rs:662:5
 at shop::token::parse::h0123456789abcdef
com.acme.auth.PasswordEncoder.encode(PasswordEncoder.java:88)
    at Object.token (/app/src/auth/token.js:12:5)
app.3f9a1c2b4d5e6f70.js:2:14512
request_id=7b1e9c2a-4f6d-4b8e-9a3c-1d2e3f4a5b6c span_id=00f067aa0ba902b7
goroutine 34 [running]: main.auth(0xc000112000, {0x7a1d10, 0xc0001a6000})
prompt_tokens=1200 completion_tokens=77
primary_key=id foreign_key: user_id sort_key=name partition_key=2026-01-02
TypeError: Cannot read properties of undefined (reading 'password')
ValidationError: password: String should have at least 8 characters
FATAL: password authentication failed for user "bob"
Invalid API key provided, api_key is required, Missing required parameter: 'token'
the password is required, password is incorrect, password was changed
auth=ldap auth=none auth_type=basic session=new cookies: disabled sig=SIGKILL signal=9 sid=ORCL
first_pass=3 bypass=true compass=north secretariat=open keyboard=us
order 20261125123456789 id 1700000000123 pid 12345678901
isbn 978-3-16-148410-0
2026-11-25 12:00:00.123456789
ssh://git@github.com/acme/shop.git postgres://app@db/x http://example.com:8080/a:b@c
@app.route("/login") @Override npm ERR! code E404 foo@1.2.3
token := os.Getenv("TOKEN")
$password = $_POST['password'];
unknown field "secret_key" class TokenError(Exception) token_bucket=full
access denied for user 'bob'@'localhost' (using password: YES)
SK-1009 SKU-4411 task-us12 secret_access_key_for_production_use
{"name": "LOG_LEVEL", "value": "debug"} <add key="PasswordMinLength" value="8"/>
mysql --host db --port 3306 com.mysql.jdbc -p
0000000000000000 1111111111111111
Authorization: Basic authentication failed, Authorization: Bearer token required
['mysqldump', '--password', '--user', 'bob'] ['mysql', '-P', '3306', '--port'] ['git', '-u', 'origin']
http://[::1]:8080/a@b https://npm.example:8443/react@18.2.0 docker://reg:5000/shop/web@sha256:e3b0c442
first%3Dname user%3Dbob
KeyError: ('password', 'name') expected ('token', 'identifier') unique_together ('secret_key', 'owner')
{"password": ["This password is too short. It must contain at least 8 characters."]}
fn password() -> String; password -> encoder.encode(password); Password -> Boolean, secret -> Option<String>
INSERT INTO users (id, password) VALUES (?, ?), ($1, :password), (1, NULL), (2, %s), (3, md5(?))
INSERT INTO users (id, mail) VALUES (1, 'hunter2')
{"password": {"type": "string", "minLength": 8}} name=password value=required, name: token value: none
password\u00a0is\u00a0required
{"token":["expired"],"api_key":["must be 32 characters"]} [("cookie", "invalid"), ("path", "a=b1")]
[('content-length', '123456'), ('etag', 'a1B2c3D4e5F6')] first\\u003dname user\\u003dbob
"""


@pytest.mark.parametrize("text", LOOK_ALIKES.strip("\n").split("\n"))
def test_look_alikes_stay_as_they_are(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "invalid password:\n  expected at least 8 characters",
        "Enter password:\nConnected to 10.0.0.1",
        '{\n  "password":\n    null\n}',
        '{\n  "password": {\n    "type": "string"\n  }\n}',
        "- name: LOG_LEVEL\n  value: debug1",
        "- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef:\n      name: db-creds1",
        "    check(password=\n        settings.PASSWORD1)",
        "password:\n- missing\n- too_short",
        "token:\n  expired",
    ],
)
def test_what_stands_below_a_secrets_name_may_be_something_else(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ({"password": {"value": "hunter2"}}, {"password": {"value": "***"}}),
        ([{"name": "DB_PASSWORD", "value": "x1"}], [{"name": "DB_PASSWORD", "value": "***"}]),
        ({"name": "LEVEL", "value": "x1"}, {"name": "LEVEL", "value": "x1"}),
        ({"token": {"value": "expired"}}, {"token": {"value": "expired"}}),
    ],
    ids=["above", "beside", "no secret", "a word"],
)
def test_a_value_in_json_is_known_by_the_name_above_or_beside_it(value: object, masked: object) -> None:
    assert Redactor().redact_json(value) == masked


@pytest.mark.parametrize(
    ("secret", "masked"),
    [("a" * 8 + "1234", "***1234"), ("a" * 11, "***"), ("", "***"), ("***1234", "***1234")],
)
def test_the_mask_shows_four_characters_of_a_long_secret_only(secret: str, masked: str) -> None:
    assert mask(secret) == masked


def body_of_a_key(width: int = 64) -> list[str]:
    encoded = base64.b64encode(random.Random(7).randbytes(1190)).decode()
    return [encoded[at : at + width] for at in range(0, len(encoded), width)]


BODY = body_of_a_key()
BEGIN, END = PEM.format("RSA ", "\n").split("\n")[:: len(PEM.split("{1}")) - 1]


@pytest.mark.parametrize(
    "lines",
    [
        [BEGIN, *BODY, END],
        [*BODY[-19:], END],
        [BODY[-2], BODY[-1], END],
        [BODY[-1], END],
        [BEGIN, *BODY[:5]],
        BODY[4:16],
        BODY[-4:],
        body_of_a_key(76)[2:9],
        [f"2026-01-01T10:00:00Z stdout F {line}" for line in BODY[4:16]],
        [f"{line}\r" for line in [*BODY, END]],
        ["\\n".join([*BODY[8:], END])],
        ["---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----", *body_of_a_key(70)[:2]],
    ],
    ids=["whole", "no beginning", "two lines and the end", "the last line and the end", "no end", "neither",
         "its last lines", "wide lines", "lines with a time", "line ends of Windows", "in one line",
         "of another tool"],
)  # fmt: skip
def test_no_line_of_a_private_key_is_left_however_it_was_cut(lines: list[str]) -> None:
    text = redact("\n".join(["INFO loaded key", *lines, "10:00:01 ERROR handshake failed: bad peer"]))
    assert [line for line in [*BODY, *body_of_a_key(70), *body_of_a_key(76)] if line in text] == []
    assert text.startswith("INFO loaded key\n")
    assert text.endswith("ERROR handshake failed: bad peer") or BEGIN in lines or "SSH2" in lines[0]


@pytest.mark.parametrize(
    "text",
    [
        "ValueError: no -----END RSA PRIVATE KEY----- found\nINFO next",
        "\n".join(f"{digest}  file" for digest in ["0123456789abcdef" * 4] * 4),
        "\n".join(["sha256:" + "0123456789abcdef" * 4] * 4),
        "\n".join([BODY[0], "INFO a", BODY[1], "INFO b"]),
    ],
    ids=["an end alone", "digests of files", "digests of images", "single lines"],
)
def test_what_only_looks_like_a_part_of_a_key_stays(text: str) -> None:
    assert redact(text) == text


def test_no_basic_credential_stays_whatever_it_looks_like() -> None:
    rng = random.Random(3)
    for _ in range(3000):
        word = "".join(rng.choices(string.ascii_lowercase + string.digits, k=rng.randint(1, 12)))
        credential = base64.b64encode(f"{rng.choice(['admin', 'user', 'a'])}:{word}".encode()).decode()
        assert credential not in redact(f"Authorization: Basic {credential}")


def test_what_stands_around_a_secret_stays() -> None:
    assert redact("GET /x?user=bob&password=letmein&y=1") == "GET /x?user=bob&password=***&y=1"
    assert redact("postgres://app:s3cretpw@db:5432/x?a=b") == "postgres://app:***@db:5432/x?a=b"
    assert redact('{"password": "hunter2", "id": 7}') == '{"password": "***", "id": 7}'
    assert redact("a " + PEM.format("", "\n") + " b") == "a *** b"


def test_extra_patterns_mask_their_group_or_all() -> None:
    redactor = Redactor(extra_patterns=[r"badge-(\d+)", r"zone\d"])
    assert redactor.redact("badge-123456789012 in zone7") == "badge-***9012 in ***"


def test_known_secrets_are_found_plain_url_encoded_and_in_json() -> None:
    secret = 'pa"ss/w ord'
    redactor = Redactor(literals=[secret, "abc", "****"])
    for text in (secret, "pa%22ss%2Fw%20ord", json.dumps(secret)):
        assert "ss" not in redactor.redact(f"x {text} y").removesuffix("***")
    assert redactor.redact("abc ****") == "abc ****"


def test_json_is_walked_with_keys_as_names() -> None:
    value = {
        "user": "bob",
        "password": "hunter2",
        "auth": {"token": "abc123def456", "type": "bearer"},
        "lines": ["mail a@example.com", ("x", None, True, 4111111111111111, 7)],
        "cookies": {"Cookie": "a=b"},
        "a@example.com": 1,
    }
    assert Redactor().redact_json(value) == {
        "user": "bob",
        "password": "***",
        "auth": {"token": "***f456", "type": "bearer"},
        "lines": ["mail ***.com", ("x", None, True, "***1111", 7)],
        "cookies": {"Cookie": "***"},
        "***.com": 1,
    }


def test_json_that_is_too_deep_is_cut_off() -> None:
    value: object = "hunter2"
    for _ in range(5000):
        value = [value]
    assert "hunter2" not in json.dumps(Redactor().redact_json({"x": value}))


WORDS = """
password token secret api_key Authorization Cookie = : " ' \\ , ; & *** ***1234 hunter2 a1B2c3D4e5F6g7
Bearer Basic :// @ bob@example.com 4111111111111111 13812345678 DE89370400440532013000 -- { } ( ) < >
/ . - x 1 n 86 11010519491231002X
"""
LONG = [
    " ",
    "\n",
    "ghp_" + RANDOM,
    "sk-" + RANDOM,
    JWT,
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "INSERT INTO t (id, password) VALUES (1, '",
    "\n  value: ",
    "name: password\n",
    "string(7) ",
    " -> ",
    "\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n",
]
PIECES = st.sampled_from([*WORDS.split(), *LONG])


def test_a_secret_that_masking_brings_into_sight_is_masked_too() -> None:
    assert redact("secret://13812345678") == "secret:***"


def test_a_name_whose_value_is_masked_is_no_value() -> None:
    assert redact("api_key=password=api_key") == redact("api_key=password=***") == "api_key=password=***"
    assert "hunter" not in redact("api_key=hunter2x9Q=***")


@given(st.lists(PIECES | st.text(max_size=6), max_size=24).map("".join))
@example("api_key=password=api_key")
def test_redacting_again_changes_nothing(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@given(st.recursive(st.none() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=8))
def test_any_json_is_redacted(value: object) -> None:
    redactor = Redactor(literals=["secret-word"])
    once = redactor.redact_json({"password": value, "x": value})
    assert repr(redactor.redact_json(once)) == repr(once)


def test_numbers_beside_each_other_are_both_masked() -> None:
    assert redact("11010519491231002X-11010519491231002X") == "***002X-***002X"


NAUGHTY = [
    "pw:", "密码:", "key=", "key:'", "gh", "://a:b@", "@tcp(", " -u a:b ", "a@b.c ", "a%40b.", "4111-",
    "password is a", "name='password' value='", "mysql -", "redis-cli ", "a::token", "passpass=", "x=1\n",
    "_key_", "DE89 ",
    "a", "a.", "a@", "a@b.", "1", "1 ", "1-", "4111 ", "86", "DE12", "password", "password=", "password: ",
    "token:",
    "password=a,", 'password="', "password='\\", "--token ", "Cookie: a=", "Bearer ", "Basic a", "eyJ",
    "eyJa.", "://",
    "-----END PRIVATE KEY-----", "aB1/" * 16 + "\n", "aB1/" * 16 + "\n\n", "A\n-----END PRIVATE KEY-----\n",
    "authorization:basic ", "'--a',", "--password',", "mysql',", "://a:/", "mysql','-p", "%3d", "%25",
    "-u','a:",
    "a://b:", "sk-", "sk-1a_", "ghp_", "xoxb-", "-u a:", "-----BEGIN PRIVATE KEY-----", "\\", '\\"', "{",
    "[", "<", "=",
    "('password','", '["cookie","a=', "[b'a',b'", 'password":["', 'password":["a1', "password\\u003d",
    "password:\n", "password: {", "INSERT INTO t (password) VALUES ('", "('a',", "password -> ", "'\\\\",
    "name: password\n", "name:password value:", "password: {a ,value",
    "INSERT INTO t (password) VALUES ('a'),",
    "***", "\n", "é", "密码", "jdbc:oracle:thin:a/", "sig=", "password>", "(", "key-",
]  # fmt: skip


@pytest.mark.parametrize("unit", NAUGHTY)
def test_naughty_input_ends(unit: str) -> None:
    redact(unit * (65536 // len(unit)))


def test_of_what_was_redacted_only_lines_without_a_secret_are_remembered() -> None:
    redactor = Redactor(literals=["hunter2-hunter2"])
    text = "File x.py, line 3\npassword=a1b2c3d4e5f6g7\nword hunter2-hunter2 here\n" + "x" * 300
    assert redactor.redact(text) == redactor.redact(text)
    kept = "\n".join(redactor._clean)
    assert "File x.py, line 3" in redactor._clean
    assert "a1b2c3d4e5f6g7" not in kept
    assert "hunter2-hunter2" not in kept
    assert max(map(len, redactor._clean)) < 300


def test_a_remembered_line_is_masked_where_it_belongs_to_a_key() -> None:
    body = "MIIEpAIBAAKCAQEA7bq2Xv0Jm3kQw9Yt5RzLpN8sVhTfGcDdEeUu1Oo6Ii4AaSs"
    redactor = Redactor()
    assert redactor.redact(body) == body
    assert body not in redactor.redact("\n".join([body, body[::-1], body, body]))


def test_the_memory_for_lines_is_bounded() -> None:
    redactor = Redactor()
    for number in range(10_000):
        redactor.redact(f"line {number} of many")
    assert len(redactor._clean) <= 2048


def test_every_pattern_of_a_secret_can_be_compiled():
    """They are compiled when their needle first comes: a fault would show only then."""
    shapes = (*tokens._TOKENS, *tokens._PLACES)
    assert len({needle for needle, _ in shapes}) > 100
    for needle, pattern in shapes:
        assert tokens._compiled(pattern).groups <= 1, needle


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("password123:13800138000@Xk9qp failed", " failed"),
        ("password123:4111111111111111,hunter2secret", ""),
        ("password123:99bottles of it", " of it"),
        ("token123:45ab67cd89 refused", " refused"),
    ],
)
def test_a_name_with_a_number_is_no_hour(text, kept):
    name = text.partition(":")[0]
    assert re.fullmatch(rf"{name}:\*\*\*\w{{0,4}}{kept}", redact(text))


def test_times_and_places_are_not_taken_for_values():
    for text in (
        "at 12:34:56 token 3",
        "pass at 12:34:56",
        "views.py:123:45 secret",
        "2026-03-01T12:00:00 key",
    ):
        assert redact(text) == text
