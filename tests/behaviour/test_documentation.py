"""The manual pages and README.md say what the programs do: neither more nor less."""

import re
import shutil
import subprocess

import pytest

from lab.programs import REPOSITORY, program

MAN = REPOSITORY / "man"
CONF_SOURCES = sorted((REPOSITORY / "src/conf").glob("*.c"))
KEY_TABLE = re.compile(
    r"\n[^\n]*\b(\w+)\([^;{}]*?\)\n\{(?:(?!\n\}).)*?\bkeys\[\] = \{(.*?)\n\t\};", re.DOTALL)

# The function in src/conf that reads a section, and the part of drover.conf(5) that describes it.
PARTS = {
    "settings_read": "Top level",
    "group_read": "Groups",
    "read_member": "Members",
    "read_balancer_only": "Balancers",
    "check_read": "Checks",
    "service_read": "Services",
    "read_sync": "Sync",
    "read_metrics": "Metrics",
    "helper_read": "Helper",
    "read_verbs": "Verbs",
}


def page(name):
    return (MAN / name).read_text()


def section(text, heading, kind="Sh"):
    """The text of a section, up to the next one of its kind or above."""
    ends = r"\n\.Sh |\Z" if kind == "Sh" else r"\n\.S[hs] |\Z"
    match = re.search(rf"\n\.{kind} {re.escape(heading)}\n(.*?)(?={ends})", text, re.DOTALL)
    assert match, f"there is no section {heading}"
    return match[1]


def run(*words, **options):
    return subprocess.run(words, capture_output=True, text=True, check=False, **options)


# --- drover.conf(5) -----------------------------------------------------------

def accepted_settings():
    """{function: names} of the key tables in src/conf."""
    tables = {}
    for source in CONF_SOURCES:
        for function, rows in KEY_TABLE.findall(source.read_text()):
            tables[function] = set(re.findall(r'\{ "(\w+)"', rows))
    return tables


def documented_settings(part):
    text = section(section(page("drover.conf.5"), "SETTINGS"), part, "Ss")
    return re.findall(r"^\.It Va (\w+)$", text, re.MULTILINE)


def test_every_key_table_has_its_part():
    assert set(accepted_settings()) == set(PARTS)


@pytest.mark.parametrize("function", PARTS)
def test_settings(function):
    documented = documented_settings(PARTS[function])
    assert sorted(documented) == sorted(accepted_settings()[function])


def test_limits_and_defaults():
    """Numbers that the header fixes are those that the page gives."""
    header = (REPOSITORY / "include/drover/conf.h").read_text()
    text = page("drover.conf.5")
    for name in ("BUCKETS_MIN", "BUCKETS_MAX", "BUCKETS_DEFAULT", "WEIGHT_MAX", "WEIGHT_DEFAULT",
                 "VIP_LENGTH_MIN", "NAME_MAX", "MEMBERS_MAX", "SERVICES_MAX"):
        value = re.search(rf"CONF_{name} = (\d+)", header)[1]
        assert re.search(rf"\b{value}\b", text), f"{name} is {value}"
    for name in ("PATH", "CONTROL"):
        assert re.search(rf'CONF_DEFAULT_{name} +"(.*)"', header)[1] in text
    assert re.search(r"CONF_DEFAULT_SEED +(0x\w+)u", header)[1] in text


def choices(function):
    """The strings that a setting may be, from the list in the function that reads it."""
    pattern = rf"\b{function}\([^{{;]*\{{.*?choices\[\] = \{{(.*?)\}};"
    for source in CONF_SOURCES:
        match = re.search(pattern, source.read_text(), re.DOTALL)
        if match:
            return re.findall(r'"(\w+)"', match[1])
    raise AssertionError(f"{function}() is not in src/conf")


@pytest.mark.parametrize("function", ["read_election", "read_protocol", "read_scheduler",
                                      "read_type", "read_fail", "read_transport"])
def test_choices(function):
    documented = re.findall(r"\.(?:It )?Qq (\w+)", page("drover.conf.5"))
    assert choices(function) and set(choices(function)) <= set(documented)


# --- examples -------------------------------------------------------------------

def literal_blocks(name):
    """Literal blocks of a manual page as they are printed."""
    for block in re.findall(r"\n\.Bd -literal[^\n]*\n(.*?)\n\.Ed", page(name), re.DOTALL):
        yield block.replace("\\e", "\\").replace("\\&", "") + "\n"


def fenced_blocks(name):
    yield from re.findall(r"\n```\n(.*?)```", (REPOSITORY / name).read_text(), re.DOTALL)


def complete(blocks):
    return [block for block in blocks if re.search(r"^interface\s*=", block, re.MULTILINE)]


EXAMPLES = [
    *(pytest.param(text, id=f"drover.conf.5-{number}")
      for number, text in enumerate(complete(literal_blocks("drover.conf.5")), 1)),
    *(pytest.param(text, id=f"README-{number}")
      for number, text in enumerate(complete(fenced_blocks("README.md")), 1)),
]


def test_there_are_examples():
    assert len(complete(literal_blocks("drover.conf.5"))) >= 3
    assert len(complete(fenced_blocks("README.md"))) >= 1


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_are_accepted(tmp_path, text):
    """Each is whole, but for the name of the host that it is on."""
    vipaddrs = next(block for block in literal_blocks("drover.conf.5")
                    if block.startswith("# mail.example.com"))
    (tmp_path / "vipaddrs").write_text(vipaddrs)
    conf = tmp_path / "drover.conf"
    balancer = re.search(r'name = "(\w+)"; address[^}]*balancer = true', text)
    balancer = balancer or re.search(r'balancers = \(\s*\{ name = "(\w+)"', text)
    node = "" if re.search(r"^node\s*=", text, re.MULTILINE) else f'node = "{balancer[1]}";\n'
    conf.write_text(node + text)
    done = run(program("droverd"), "-c", str(conf), "-t")
    assert (done.returncode, done.stderr) == (0, "")
    printed = run(program("droverd"), "-c", str(conf), "-p")
    assert printed.returncode == 0 and "chain ingress" in printed.stdout


def test_error_messages_of_the_page(tmp_path):
    """The page shows real messages: a file that has these errors gives them."""
    conf = tmp_path / "drover.conf"
    conf.write_text('interface = "eth0";\nbuckets = 5000;\ngroups = ( {\n  name = "A";\n'
                    '  vips = [ "192.0.2.100" ];\n'
                    '  members = ( { name = "fe5"; address = "192.0.2.5"; wieght = 3; } );\n'
                    '  services = ( { name = "web"; protocol = "tcp"; ports = "80,80-90"; } );\n'
                    '} );\n')
    done = run(program("droverd"), "-c", "drover.conf", "-t", cwd=tmp_path)
    wanted = section(page("drover.conf.5"), "ERROR MESSAGES")
    shown = re.search(r"\.Bd -literal[^\n]*\n(.*?)\n\.Ed", wanted, re.DOTALL)[1].splitlines()
    assert done.returncode == 1 and set(shown) <= set(done.stderr.splitlines())


# --- droverctl(8) ---------------------------------------------------------------

def helped_commands():
    text = run(program("droverctl"), "-h").stdout
    listed = text.split("\nCommands:\n")[1].split("\n\n")[0]
    return re.findall(r"^  (\w+)", listed, re.MULTILINE)


def test_commands_of_droverctl():
    description = section(page("droverctl.8"), "DESCRIPTION")
    documented = re.findall(r"^\.It Cm (\w+)", description, re.MULTILINE)
    source = (REPOSITORY / "src/ctl/commands.c").read_text()
    assert sorted(documented) == sorted(helped_commands())
    assert sorted(documented) == sorted(re.findall(r'^\t\{ "(\w+)", "', source, re.MULTILINE))


def test_the_daemon_has_these_commands():
    source = (REPOSITORY / "src/engine/commands.c").read_text()
    answered = re.findall(r'\{ "(\w+)", command_\w+ \}', source)
    assert sorted([*answered, "import", "keygen", "vips", "watch"]) == sorted(helped_commands())


def test_replies_of_droverctl_name_every_field(cluster):
    """Fields of a live daemon's replies are in the page, each in quotation marks."""
    replies = section(page("droverctl.8"), "JSON REPLIES")
    node = cluster["fe5"]
    flow = ("tcp", "192.0.2.200:40001", "192.0.2.100:80", "--without", "fe6")
    asked = [node.ctl(command) for command in ("status", "members", "services", "rules", "ready",
                                               "metrics")]
    asked += [node.ctl("watch", "--interval", "0.1", "--count", "1")]
    asked += [node.ctl("explain", *flow), node.ctl("activate"), node.ctl("drain", "fe6"),
              node.ctl("reload", "--reset")]
    names = set().union(*(field_names(reply) for reply in asked)) - {"ok"}
    assert not {name for name in names if f'"{name}"' not in replies}


def named(source, function):
    """The strings that a C function returns."""
    text = (REPOSITORY / source).read_text()
    return re.findall(r'return "(\w+)";', re.search(rf"\n[^\n]*{function}\(.*?\n}}", text,
                                                   re.DOTALL)[0])


@pytest.mark.parametrize("source, function, count", [
    ("src/cluster/cluster.c", "member_state_name", 5),
    ("src/engine/report.c", "state_text", 1),
    ("src/engine/report.c", "role_text", 1),
    ("src/plan/explain.c", "explain_verdict_name", 5),
])
def test_values_in_replies(source, function, count):
    replies = section(page("droverctl.8"), "JSON REPLIES")
    values = named(source, function)
    assert len(values) == count
    assert not [value for value in values if f'"{value}"' not in replies]


def field_names(value):
    if isinstance(value, dict):
        return set(value).union(*(field_names(each) for each in value.values()))
    if isinstance(value, list):
        return set().union(*(field_names(each) for each in value))
    return set()


# --- drover-helper(8) -------------------------------------------------------------

def test_commands_of_drover_helper():
    """The words of the table, and what drover.conf(5) says that each setting means."""
    table = re.findall(r'\{ "(\w+)", "(\w+)", VERB_\w+ \}',
                       (REPOSITORY / "src/helper/command.c").read_text())
    documented = re.findall(r"^\.It Cm (\w+)", page("drover-helper.8"), re.MULTILINE)
    assert sorted(word for _, word in table) == sorted(documented)
    verbs = section(section(page("drover.conf.5"), "SETTINGS"), "Verbs", "Ss")
    assert sorted(re.findall(r"^\.It Va (\w+)\n\.Cm (\w+)$", verbs, re.MULTILINE)) == sorted(table)


# --- options ----------------------------------------------------------------------

def getopt_letters(source):
    text = (REPOSITORY / source).read_text()
    return set(re.search(r'getopt\w*\(argc, argv, "([^"]*)"', text)[1]) - set("+:")


@pytest.mark.parametrize("name, source", [
    ("droverd", "src/daemon/main.c"),
    ("droverctl", "src/ctl/main.c"),
    ("drover-helper", "src/helper/main.c"),
])
def test_options(name, source):
    description = section(page(f"{name}.8"), "DESCRIPTION")
    documented = re.findall(r"^\.It Fl (\w)\b", description, re.MULTILINE)
    letters = getopt_letters(source)
    assert sorted(documented) == sorted(letters)
    done = run(program(name), "-h")
    assert done.returncode == 0
    helped = set(re.findall(r"^ +-(\w)\b", done.stdout, re.MULTILINE))
    assert letters - {"h"} <= helped <= letters


# --- all pages --------------------------------------------------------------------

def test_pages_are_installed():
    listed = re.findall(r"'([\w.-]+\.[1-9])'", page("meson.build"))
    assert sorted(listed) == sorted(path.name for path in MAN.glob("*.[1-9]"))


def test_references_between_pages_lead_somewhere():
    pages = {path.name for path in MAN.glob("*.[1-9]")}
    for name in pages:
        for title, number in re.findall(r"\.Xr (drover\S*) (\d)", page(name)):
            assert f"{title}.{number}" in pages, f"{name} refers to {title}({number})"


def test_mandoc_finds_nothing_wrong():
    assert shutil.which("mandoc"), "mandoc is one of contrib/packages"
    pages = sorted(str(path) for path in MAN.glob("*.[1-9]"))
    done = run("mandoc", "-Tlint", "-Wwarning", *pages)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_paths_in_readme_exist():
    text = (REPOSITORY / "README.md").read_text()
    paths = re.findall(r"`((?:src|include|tests|contrib|rules|man)/[\w./-]*)[` ]", text)
    assert len(paths) >= 15
    assert not [path for path in paths if not (REPOSITORY / path).exists()]
