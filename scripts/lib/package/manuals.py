"""Manual pages: kiwi-server(8), kiwi.conf(5), kiwi-commands(7), and those of the tools."""
import re
import textwrap

from package import tables

# What the command line takes beside options of the table; the texts of kiwi-server --help.
OTHERS = (
    ("--help", "", "Prints all options and ends."),
    ("--version", "", "Prints the version and ends."),
    ("--print-config", "", "Prints a configuration file with all options and their defaults, and ends."),
    ("--restore", "BACKUP", "Fills an empty \\fBdir\\fR from a backup that \\fBRAFT.BACKUP\\fR made, and ends. Start "
                            "the node without it then, as a cluster of one; others join it."),
    ("--import", "FILE", "Does the same from an RDB file of Redis. What it holds and Kiwi cannot hold yet ends it."),
    ("--import-skip-unsupported", "", "With \\fB--import\\fR: such keys are left out and named, and the exit status "
                                      "is 2."),
)
STATUSES = (
    ("0", "It was told to stop, and did."),
    ("1", "It could not start, and may at another attempt: a port that is taken, an address that is not there yet, no "
          "room on the disk. Or it did not end in time and was ended."),
    ("2", "\\fB--import-skip-unsupported\\fR left something out."),
    ("70", "Fail-stop: a disk or the state failed while it ran. The last line of the log names the file. Nothing "
           "that was acknowledged is lost."),
    ("78", "Options or data were refused. Another attempt ends alike; the unit does not make one."),
)
SIGNALS = (
    ("SIGTERM, SIGINT", "An orderly end: leadership is handed over, clients are answered and told where to go, at most "
                        "\\fBdrain-seconds\\fR and some more. A second one ends it at once."),
    ("SIGHUP", "The log file is opened anew, certificates are read again."),
)
VARIABLES = (
    ("NOTIFY_SOCKET", "A socket as \\fBsd_notify\\fR(3) describes it: the node says READY=1 when it listens (not when "
                      "it has a quorum), STATUS= with its role and the leader, STOPPING=1."),
    ("WATCHDOG_USEC", "With NOTIFY_SOCKET: WATCHDOG=1 is said three times as often, as long as both loops go on (as "
                      "GET /livez on the HTTP port tells). A disk that hangs is not taken for a loop that hangs."),
)
FILES = (
    ("/etc/kiwi/kiwi.conf", "The configuration: \\fBkiwi.conf\\fR(5). CONFIG REWRITE writes it, so the user kiwi may."),
    ("/var/lib/kiwi/data", "The data directory of the node. Never put back a copy of it."),
    ("/var/lib/kiwi/backups", "RAFT.BACKUP writes below it."),
    ("/var/log/kiwi/kiwi-server.log", "The log, rotated by \\fBlogrotate\\fR(8)."),
)
LINES = (
    ("\\fBinclude\\fR \\fIFILE\\fR", "Reads another file in its place."),
    ("\\fBuser\\fR \\fINAME RULE ...\\fR", "A user, as ACL SETUSER takes it. It counts until the cluster has users of "
                                           "its own."),
    ("\\fBrename\\-command\\fR \\fINAME NEW\\fR", "The command is known by another name on this node; \\(dq\\(dq: by "
                                                   "none."),
)


def escaped(text):
    """Plain text for roff: no hyphen becomes a dash, no line a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace("^", "\\(ha")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


def heading(name, section, version, date, title):
    return f'.TH {name.upper()} {section} "{date}" "Kiwi {version}" "{title}"\n.SH NAME\n'


def items(rows):
    """(tag, text) as a list of hanging paragraphs; both are roff already."""
    return "".join(f".TP\n{tag}\n{text}\n" for tag, text in rows)


def bold(text):
    return f"\\fB{escaped(text)}\\fR"


# ---------------------------------------------------------------- kiwi-server(8)

def server(version, date):
    others = [(bold(name) + (f" \\fI{value}\\fR" if value else ""), text.replace("-", "\\-"))
              for name, value, text in OTHERS]
    plain = [[(bold(tag), text.replace("-", "\\-")) for tag, text in rows]
             for rows in (STATUSES, SIGNALS, VARIABLES, FILES)]
    return heading("kiwi-server", 8, version, date, "Kiwi") + f"""\
kiwi\\-server \\- strongly consistent database server that speaks the Redis protocol
.SH SYNOPSIS
.B kiwi\\-server
.RI [ FILE ]
.RB [ \\-\\-\\fIoption\\fR
.IR "value ..." ]...
.SH DESCRIPTION
One node of a Kiwi cluster. Nodes replicate each write through a Raft log before it is acknowledged; any node serves
any client, and together they behave like one server that is up as long as a majority of them is.
.PP
.I FILE
is a configuration file, as \\fBkiwi.conf\\fR(5) describes it. The same options may be given on the command line,
where they win over the file.
.PP
With one node it is a cluster of one. For three, give each the same
.B raft.peers
and
.BR raft.cluster\\-secret ,
a
.B raft.id
of its own, and a
.B bind
that lets the others in, \\fIbefore its first start\\fR: a node that founded a cluster of its own stays with it. Then
.RS
.PP
systemctl enable \\-\\-now kiwi\\-server
.RE
.SH OPTIONS
{items(others)}.PP
All others are those of \\fBkiwi.conf\\fR(5), with \\-\\- before the name.
.SH EXIT STATUS
{items(plain[0])}.SH SIGNALS
{items(plain[1])}.SH ENVIRONMENT
{items(plain[2])}.SH FILES
{items(plain[3])}.SH SEE ALSO
.BR kiwi.conf (5),
.BR kiwi\\-commands (7),
.BR redis\\-cli (1)
"""


# ---------------------------------------------------------------- kiwi.conf(5)

def option_text(row):
    runtime = " \\fBCONFIG SET\\fR may change it." if "kRuntime" in row.flags else ""
    return (f"{bold(row.name)} \\fI{escaped(row.default)}\\fR",
            f"{escaped(row.doc)}{runtime}\n.br\nAllowed: {escaped(row.allowed)}.")


def configuration(version, date, table, conf):
    text, section = [], None
    for row in tables.shown_options(table, conf):
        if row.section != section:
            section = row.section
            text.append(f".SS {escaped(section)}\n")
        text.append(items([option_text(row)]))
    fixed = [(f"{bold(row.name)} \\fI{escaped(row.default)}\\fR", escaped(row.doc)) for row in tables.options(table) if row.fixed]
    shown = "".join(text)
    return heading("kiwi.conf", 5, version, date, "Kiwi") + f"""\
kiwi.conf \\- configuration of kiwi\\-server
.SH DESCRIPTION
Lines are a name and a value. Text with spaces goes in quotes, as in redis.conf. A line that begins with # is a
comment. Other lines that a file may have:
{items(LINES)}.PP
The names, with their defaults:
.SH OPTIONS
{shown}.SH OPTIONS OF REDIS THAT HAVE ONE VALUE HERE
CONFIG GET shows them, and nothing changes them.
{items(fixed)}.SH FILES
.TP
.I /etc/kiwi/kiwi.conf
The file that the unit kiwi\\-server.service names.
.SH SEE ALSO
.BR kiwi\\-server (8)
"""


# ---------------------------------------------------------------- kiwi-commands(7)

def commands(version, date, rows):
    """rows: of all .def files but internal.def."""
    groups = {}
    containers = {row.name.split("|")[0] for row in rows if "|" in row.name}
    for row in rows:
        if row.name not in containers:
            groups.setdefault(row.facts.get("group", "other"), []).append(row)
    text = []
    for group in sorted(groups):
        text.append(f".SS {escaped(group)}\n")
        text.append(items((bold(tables.syntax(row)), escaped(row.facts.get("summary", ""))) for row in
                          sorted(groups[group], key=lambda row: row.name)))
    shown = "".join(text)
    return heading("kiwi-commands", 7, version, date, "Kiwi") + f"""\
kiwi\\-commands \\- commands of kiwi\\-server
.SH DESCRIPTION
Replies are those of Redis 7.0, but for the differences that README lists.
.B COMMAND DOCS
tells the same of a running node, with arguments, history and costs.
.SH COMMANDS
{shown}.SH SEE ALSO
.BR kiwi\\-server (8),
.BR redis\\-cli (1)
"""


# ---------------------------------------------------------------- tools

def tool(name, version, date, summary, text):
    """A page of what the tool says with --help."""
    body = escaped(textwrap.dedent(text).rstrip())
    return heading(name, 1, version, date, "Kiwi") + f"""\
{escaped(name)} \\- {escaped(summary)}
.SH SYNOPSIS
{bold(name)} [\\fIoptions\\fR]
.SH DESCRIPTION
.nf
{body}
.fi
.SH SEE ALSO
.BR kiwi\\-server (8)
"""
