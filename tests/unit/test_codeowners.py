"""Whose a path is, by the examples that GitHub and GitLab give for their CODEOWNERS, and by odd files."""

import pytest

from ai_ops.core import codeowners
from ai_ops.core.codeowners import CodeOwners, Dialect

GITHUB = b"""\
# A comment, then the owners of everything
*       @global-1 @global-2
*.js    @js-owner #This is an inline comment.
*.go docs@example.com
*.txt @octo-org/octocats
/build/logs/ @doctocat
docs/* docs@example.com
apps/ @octocat
/scripts/ @doctocat @octocat
**/logs @octocat
/apps/ @octocat
/apps/github
/apps/github/secret\\ plans.md @doctocat
"""

GITHUB_CASES = {
    "README.md": ("@global-1", "@global-2"),
    "deep/down/README.md": ("@global-1", "@global-2"),
    "web/main.js": ("@js-owner",),
    "main.go": ("docs@example.com",),
    "a/b.txt": ("@octo-org/octocats",),
    "build/logs/today": ("@octocat",),
    "x/build/out": ("@global-1", "@global-2"),
    "docs/getting-started.md": ("docs@example.com",),
    "docs/build-app/troubleshooting.md": ("@global-1", "@global-2"),
    "src/docs/a.md": ("@global-1", "@global-2"),
    "src/apps/a.md": ("@octocat",),
    "scripts/x/y.sh": ("@doctocat", "@octocat"),
    "deeply/nested/logs/error.log": ("@octocat",),
    "apps/x.py": ("@octocat",),
    "apps/github/x.py": (),
    "apps/github/secret plans.md": ("@doctocat",),
}


@pytest.mark.parametrize(("path", "owners"), GITHUB_CASES.items(), ids=GITHUB_CASES)
def test_githubs_examples_mean_what_github_says(path, owners):
    assert codeowners.parse(GITHUB, Dialect.GITHUB).of(path) == owners


GITLAB = b"""\
* @default
*.rb @ruby-owner
\\#file_with_pound.rb @owner-pound
LICENSE @legal this_does_not_match janedoe@gitlab.example
README @group @group/with-nested/subgroup
/docs/ @all-docs
/docs/* @root-docs
/docs/**/*.md @markdown-docs
lib/ @lib-owner
/config/ @@maintainer
path\\ with\\ spaces/ @space-owner
/[a-c]x.py @ranged

[Documentation] @docs-team
ee/docs
docs
README.md @user1 @user2

^[Database][2] @gl-database @dba/team
model/db/
config/db/database-setup.md @docs-team

[documentation]
internal/README.md @user4

[No One]
*
!*.rb
*.rb @too-late
"""

GITLAB_CASES = {
    "a.rb": ("@ruby-owner",),
    "#file_with_pound.rb": ("@owner-pound",),
    "LICENSE": ("@legal", "janedoe@gitlab.example"),
    "x/LICENSE": ("@legal", "janedoe@gitlab.example"),
    "README": ("@group", "@group/with-nested/subgroup"),
    "docs/index.html": ("@root-docs",),
    "docs/projects/index.html": ("@all-docs",),
    "docs/projects/index.md": ("@markdown-docs",),
    "src/lib/deep/x.py": ("@lib-owner",),
    "config/x.yml": (),
    "path with spaces/x": ("@space-owner",),
    "bx.py": ("@ranged",),
    "dx.py": ("@default",),
    "ee/docs": ("@default", "@docs-team"),
    "ee/docs/x": ("@default",),
    "README.md": ("@default", "@user1", "@user2"),
    "internal/README.md": ("@default", "@user4"),
    "model/db/x.sql": ("@default", "@gl-database", "@dba/team"),
    "app/config/db/database-setup.md": ("@default", "@docs-team"),
}


@pytest.mark.parametrize(("path", "owners"), GITLAB_CASES.items(), ids=GITLAB_CASES)
def test_gitlabs_examples_mean_what_gitlab_says(path, owners):
    assert codeowners.parse(GITLAB, Dialect.GITLAB).of(path) == owners


def test_what_github_does_not_read_is_passed_over_there():
    text = b"* @all\n[Section] @team\n!*.py @x\n[ab].py @y\nsrc/ not-an-owner\n*.py @ok @bad@\n"
    assert codeowners.parse(text, Dialect.GITHUB).of("src/a.py") == ("@all",)


@pytest.mark.parametrize(
    ("files", "host", "found"),
    [
        (("CODEOWNERS", ".github/CODEOWNERS", "docs/CODEOWNERS"), "github", ".github/CODEOWNERS"),
        (("CODEOWNERS", "docs/CODEOWNERS"), "github", "CODEOWNERS"),
        ((".gitlab/CODEOWNERS",), "github", None),
        (("docs/CODEOWNERS", ".gitlab/CODEOWNERS"), "gitlab", "docs/CODEOWNERS"),
        ((".github/CODEOWNERS",), "gitlab", None),
        ((".gitlab/CODEOWNERS",), "local", ".gitlab/CODEOWNERS"),
        ((".github/CODEOWNERS", ".gitlab/CODEOWNERS"), "local", ".github/CODEOWNERS"),
        (("src/CODEOWNERS",), "local", None),
    ],
)
def test_the_first_place_that_the_host_looks_at_counts(files, host, found):
    place = codeowners.place_of(files, host)
    assert (place and place[0]) == found


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\x00*",
        b"/ @a",
        b"\\",
        b"[",
        b"[]",
        b"!",
        b"a\\ ",
        b"* ",
        "* @ü".encode(),
        b"x" * 3_000_001,
    ],
    ids=[
        "empty",
        "not text",
        "slash",
        "backslash",
        "bracket",
        "brackets",
        "mark",
        "half",
        "bare",
        "ü",
        "huge",
    ],
)
def test_no_file_is_a_failure(dialect, data):
    assert isinstance(codeowners.parse(data, dialect).of("a/b.py"), tuple)


@pytest.mark.parametrize("pattern", ["**/" * 60 + "x", "*a" * 200 + "b", "/" + "*/" * 300, "[a-z]" * 200])
@pytest.mark.parametrize("dialect", Dialect)
def test_a_pattern_made_to_be_slow_is_not(pattern, dialect):
    """A backtracking matcher would not come back from these."""
    owners = codeowners.parse(f"{pattern} @a\n".encode() * 20, dialect)
    assert owners.of("a/" * 60 + "a" * 300) in ((), ("@a",))


def test_a_file_that_says_nothing_owns_nothing():
    assert CodeOwners().of("a.py") == ()
