/**
 * Boots this machine's Debian in a throw-away container, so that a test meets a real systemd,
 * journald and D-Bus.
 *
 * It is a private mount and PID namespace, an overlay of `/` whose writable half is a tmpfs, and
 * systemd-nspawn in a
 * cgroup of its own. The host need not run systemd. The container sees the host's root file system
 * as it was at boot
 * (later files go in by writeFile()), shares its network, and has no journal and an empty
 * /etc/systemd/system.
 *
 * Everything dies with this process: a keeper reads a pipe whose other end only this process holds.
 * When it closes
 * (stop(), exit, kill -9), the keeper kills the PID namespace, so every process and mount, and
 * removes the cgroup.
 *
 * What it does not do: enforce memory limits or IPAddressDeny= (that depends on the host), isolate
 * the network.
 */
import { execFile, spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export type Ran = { code: number; stdout: string; stderr: string };

/** `uid`: not as root but as this uid, with the gid of the same number and no other group. */
export type RunOptions = { input?: string; uid?: number; timeoutMs?: number };

/**
 * `files`: absolute path → text, written before systemd starts. `bindReadOnly`: mounts the overlay
 * does not show.
 */
export type BootOptions = { files?: Record<string, string>; bindReadOnly?: string[] };

export type Container = {
  /** The container's PID 1, as the host numbers it. Changes at each boot. */
  pid: number;
  /**
   * The container's cgroup root, as a host path: `${cgroup}/system.slice/app.service/cgroup.procs`.
   */
  cgroup: string;
  run(command: string[], options?: RunOptions): Promise<Ran>;
  writeFile(path: string, text: string, mode?: string): Promise<void>;
  /** `abruptly`: as a power cut does it, without a word to any unit. */
  powerOffAndBootAgain(how?: "orderly" | "abruptly"): Promise<void>;
  stop(): Promise<void>;
};

/**
 * BOOT_ROOT=/var/tmp/trixie boots the system that was installed there (debootstrap) instead of this
 * machine's own.
 */
const lowerRoot = process.env.BOOT_ROOT ?? "/";

// A boot takes 0.5 s here; a machine that does other work, too, may be two orders of magnitude
// slower.
const bootMsMax = 120_000;
const runMsMax = 120_000;
const outputBytesMax = 64 << 20;
const environment = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LANG: "C.UTF-8",
};
const programs = ["systemd-nspawn", "nsenter", "unshare", "setpriv"].map(
  (name) => `/usr/bin/${name}`,
);
const nspawnOptions =
  "--directory=/run/root --boot --machine=debian --quiet --register=no --keep-unit --settings=no --console=read-only " +
  "--link-journal=no --resolv-conf=off --timezone=off";
const namespaces = "--mount --propagation private --pid --fork --kill-child=KILL --mount-proc";

// On the host. It drops its output once the machine runs, so that the end of that stream is the end
// of the machine.
// Beside a version 1 hierarchy of systemd's own, nspawn makes a cgroup of the same name there: both
// are removed.
const keeperScript = `
exec 2>&1; cgroup=$1; machine=$2; shift 2
mkdir "$cgroup" || exit 1
setpriv --pdeathsig KILL unshare ${namespaces} sh -euc "$machine" machine "$cgroup" "$@" &
exec >/dev/null 2>&1
read -r _
kill -KILL $!
wait
for try in $(seq 250); do
  set -- /sys/fs/cgroup/"\${cgroup##*/}" /sys/fs/cgroup/*/"\${cgroup##*/}"
  find "$@" -depth -type d -exec rmdir {} \\;
  [ -z "$(find "$@" -maxdepth 0)" ] && exit
  sleep 0.02
done
`;

// In the overlay, by chroot: here an absolute symbolic link cannot lead out. Arguments: path and
// text pairs.
const prepareScript = `
rm -rf /etc/systemd/system/* /etc/systemd/journald.conf.d /var/log/journal/* /var/lib/dbus/machine-id
mkdir -p /var/log/journal
: > /etc/machine-id
echo debian > /etc/hostname
ln -s /usr/lib/systemd/system/multi-user.target /etc/systemd/system/default.target
ln -s /dev/null /etc/systemd/system/console-getty.service
while [ $# -gt 0 ]; do mkdir -p "\${1%/*}"; rm -f "$1"; printf %s "$2" > "$1"; shift 2; done
`;

// In the namespaces, where the host's own root is read-only from the third line on: nothing here
// can change it.
// /tmp is covered because nspawn leaves directories there. Only nspawn enters the cgroup: a process
// beside its
// subgroups would keep it from delegating controllers. Powered off (0) or rebooted (133) means:
// boot again.
const machineScript = `
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mount -o remount,bind,ro /
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
cgroup=$1; prepare=$2; arguments=$3; lower=$4; shift 4
mkdir /run/upper /run/work /run/root
mount -t overlay overlay -o lowerdir="$lower",upperdir=/run/upper,workdir=/run/work /run/root
chroot /run/root sh -euc "$prepare" prepare "$@"
status=0
while [ $status -eq 0 ] || [ $status -eq 133 ]; do
  status=0
  (echo 0 > "$cgroup/cgroup.procs"; exec systemd-nspawn $arguments) || status=$?
done
`;

function unifiedHierarchy(): string | undefined {
  const mounts = readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" "));
  return mounts.find((fields) => fields[2] === "cgroup2")?.[1];
}

/** One line that says why a container cannot boot here, or null when it can. */
export function canBoot(): string | null {
  const cannot = "Cannot boot a container:";
  if (process.platform !== "linux") return `${cannot} ${process.platform} is not Linux`;
  if (process.getuid?.() !== 0) return `${cannot} uid ${process.getuid?.()} is not root`;
  const missing = programs.find((path) => !existsSync(path));
  if (missing !== undefined) return `${cannot} no ${missing} (apt-get install systemd-container)`;
  if (unifiedHierarchy() === undefined) return `${cannot} no cgroup2 file system is mounted`;
  const probe = `mkdir "$1" && rmdir "$1" && mount -t tmpfs t /run && mkdir /run/u /run/w /run/r &&
    mount -t overlay o -o lowerdir=/,upperdir=/run/u,workdir=/run/w /run/r`;
  const cgroup = `${unifiedHierarchy()}/booted-${process.pid}-probe`;
  const ran = spawnSync("unshare", [...namespaces.split(" "), "sh", "-c", probe, "sh", cgroup], {
    encoding: "utf8",
  });
  return ran.status === 0
    ? null
    : `${cannot} no namespace, overlay or cgroup (${ran.stderr.trim().split("\n")[0]})`;
}

/** The process that is PID 1 in its own namespace: while booting, generators share its cgroup. */
function readFirstProcess(cgroup: string): number | undefined {
  try {
    const pids = readFileSync(`${cgroup}/init.scope/cgroup.procs`, "utf8")
      .split("\n")
      .filter(Boolean)
      .map(Number);
    return pids.find((pid) => /^NSpid:.*\t1$/m.test(readFileSync(`/proc/${pid}/status`, "utf8")));
  } catch {
    return undefined; // Not there yet, or gone between the two reads.
  }
}

/**
 * The timeout acts inside: killing nsenter would orphan its child to the host's init, unreaped and
 * in the way.
 */
async function enter(pid: number, command: string[], options: RunOptions): Promise<Ran> {
  const timeoutMs = options.timeoutMs ?? runMsMax;
  const user =
    options.uid === undefined
      ? []
      : [`--reuid=${options.uid}`, `--regid=${options.uid}`, "--clear-groups"];
  const bounded = [
    "timeout",
    "--signal=KILL",
    String(timeoutMs / 1000),
    "setpriv",
    ...user,
    "--",
    ...command,
  ];
  const settings = { cwd: "/", maxBuffer: outputBytesMax, env: environment };
  const startedMs = Date.now();
  const ran = await new Promise<Ran>((resolve) => {
    const child = execFile(
      "nsenter",
      ["-t", `${pid}`, "-a", "--", ...bounded],
      settings,
      (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? NaN), stdout, stderr }),
    );
    child.stdin?.on("error", () => {}); // The command may end without reading its input.
    child.stdin?.end(options.input ?? "");
  });
  const cannot = `Cannot run "${command.join(" ")}" in the container:`;
  if (Date.now() - startedMs >= timeoutMs)
    throw new Error(`${cannot} no end within ${timeoutMs} ms`);
  if (Number.isNaN(ran.code))
    throw new Error(`${cannot} it was killed, or wrote over ${outputBytesMax} bytes`);
  return ran;
}

let bootCount = 0;
/**
 * Boots a container, and resolves when multi-user.target is active, so that units and D-Bus can be
 * used at once.
 */
export async function boot(options: BootOptions = {}): Promise<Container> {
  const top = `${unifiedHierarchy()}/booted-${process.pid}-${++bootCount}`;
  const cgroup = `${top}/payload`; // nspawn gives it that name.
  // What a test has put below /var/tmp would be missing in another system's root.
  const shared =
    lowerRoot === "/" ? [] : readdirSync("/var/tmp").filter((name) => name.startsWith("cytube-"));
  const binds = [...(options.bindReadOnly ?? []), ...shared.map((name) => `/var/tmp/${name}`)];
  const nspawn = [nspawnOptions, ...binds.map((path) => `--bind-ro=${path}`)].join(" ");
  const args = [
    "-c",
    keeperScript,
    "keeper",
    top,
    machineScript,
    prepareScript,
    nspawn,
    lowerRoot,
    ...Object.entries(options.files ?? {}).flat(),
  ];
  // Detached: a Ctrl-C goes to the whole process group, and the keeper must outlive it to clean up.
  const keeper = spawn("sh", args, {
    cwd: "/",
    env: environment,
    detached: true,
    stdio: ["pipe", "pipe", "ignore"],
  });
  const exited = new Promise<void>((resolve) => keeper.once("exit", () => resolve()));
  const machine = { pid: 0, cgroup };
  let consoleTail = "";
  keeper.stdout.setEncoding("utf8").on("data", (text) => {
    consoleTail = (consoleTail + text).slice(-4_000);
  });
  // A test that forgets stop() may still end: the pipe closes with it.
  for (const held of [keeper, keeper.stdin, keeper.stdout]) (held as Socket).unref();
  const stop = () => {
    keeper.ref();
    keeper.stdin.end();
    return exited;
  };
  const run = async (command: string[], runOptions: RunOptions = {}) => {
    // The host may give a dead container's pid to another process, where root must not run a test's
    // commands.
    if (readFirstProcess(cgroup) === machine.pid) return enter(machine.pid, command, runOptions);
    throw new Error(`Cannot run "${command.join(" ")}" in the container: it has ended`);
  };
  const writeFile = async (path: string, text: string, mode = "0644") => {
    const script = 'mkdir -p "$(dirname "$1")" && cat > "$1" && chmod "$2" "$1"';
    const { code, stderr } = await run(["sh", "-c", script, "sh", path, mode], { input: text });
    if (code !== 0) throw new Error(`Cannot write "${path}" in the container: ${stderr.trim()}`);
  };
  const becomeReady = async () => {
    const previous = machine.pid;
    const deadlineMs = Date.now() + bootMsMax;
    while (!keeper.stdout.readableEnded && Date.now() < deadlineMs) {
      const found = readFirstProcess(cgroup);
      if (found !== undefined && found !== previous) {
        machine.pid = found;
        if (
          (await enter(found, ["systemctl", "is-active", "--quiet", "multi-user.target"], {}))
            .code === 0
        )
          return;
      }
      await sleep(10);
    }
    throw new Error(
      `Cannot boot a container: ${keeper.stdout.readableEnded ? "it ended" : "too slow"}. Its console says:\n${consoleTail}`,
    );
  };
  const powerOffAndBootAgain = async (how = "orderly") => {
    // Cut off, the command ends with its machine and has nothing to say.
    if (how === "abruptly")
      await run(["systemctl", "poweroff", "--force", "--force"]).catch(() => {});
    else await run(["systemctl", "poweroff"]);
    await becomeReady();
  };
  await becomeReady().catch((error) => stop().then(() => Promise.reject(error)));
  return Object.assign(machine, { run, writeFile, powerOffAndBootAgain, stop });
}
