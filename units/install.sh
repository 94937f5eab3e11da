#!/bin/sh
# Puts cytube-verify on this host, so that every start of the bot is verified: program, user, directories, config, units, hook.
#
# Everything that lands is first made in a scratch directory, then compared with what is there, and only what differs is written
# (or, with --dry-run, printed as a diff). What depends on the site is asked of the program itself, run as an unprivileged user;
# as root run only this file and the tools of the system. A list of what an instance has, one path a line, is kept beside the
# program: that is what --uninstall undoes, and what a later run cleans up when the config names another unit.
#
# It does not restart the bot, enable anything, overwrite a config, or remove a log.
set -eu
umask 022

lib=/usr/local/lib/cytube-verify
bin=/usr/local/bin/cytube-verify
etc=/etc/cytube-verify
system=/etc/systemd/system
account=cytube-verify
logs=/var/log/cytube-verify
state=/var/lib/cytube-verify
flags=/run/cytube-verify
runtime=/run/systemd/system
shared_units='cytube-verify@.service cytube-rollback@.service cytube-burnin@.timer cytube-burnin@.service cytube-alert@.service cytube-alert@.timer'

say() { printf '%s\n' "$*"; }
warn() { printf 'note: %s\n' "$*"; }
die() {
  code=$1
  shift
  printf 'install.sh: %s\n' "$*" >&2
  exit "$code"
}

usage() {
  cat <<TEXT
Usage: sudo units/install.sh ENV [--dry-run] [--uninstall] [--node FILE]

  ENV           the config's name: prod reads $etc/prod.yaml, and a host
                may have several, such as prod and prod-movies
  --dry-run     print the exact changes, and touch nothing
  --uninstall   undo it; logs and $etc stay
  --node FILE   this Node (20.18 or later) instead of the one on PATH
  --help

First: npm ci && npm run build
Afterwards: edit $etc/ENV.yaml, and run it again. A second run changes only
what has to change.

Exit codes: 0 done, 64 usage, 69 something is missing on this host, 70 a step
failed, 77 not root, 78 the config.
TEXT
}

# ---------------------------------------------------------------------------- changes

changes=0 # How many there were; without any, systemd is not reloaded.

# Runs a command that changes something, or says that it would.
act() {
  changes=$((changes + 1))
  if [ "$dry" = yes ]; then
    say "would run: $*"
    return
  fi
  "$@"
}

# Makes file $1 what the scratch file $2 holds, with mode $3 and owner $4, by a rename; says nothing about what is so already.
put() {
  installed=$installed$1'
'
  if [ -f "$1" ] && [ ! -L "$1" ] && cmp -s "$1" "$2" && [ "$(stat -c '%a %U:%G' "$1")" = "$3 $4" ]; then return; fi
  changes=$((changes + 1))
  if [ "$dry" = yes ]; then
    if [ -e "$1" ]; then
      diff -u --label "$1" --label "$1 ($3 $4)" "$1" "$2" || :
    else
      diff -u --label /dev/null --label "$1 ($3 $4)" /dev/null "$2" || :
    fi
    return
  fi
  mkdir -p "$(dirname "$1")"
  cp "$2" "$1.new"
  chown "$4" "$1.new"
  chmod "$3" "$1.new"
  mv -f "$1.new" "$1"
  say "wrote $1"
}

# Removes files, and the drop-in directory they were the last of.
remove() {
  for path in "$@"; do
    if [ ! -e "$path" ] && [ ! -L "$path" ]; then continue; fi
    changes=$((changes + 1))
    if [ "$dry" = yes ]; then
      say "would remove $path"
      continue
    fi
    rm -rf -- "$path"
    say "removed $path"
    case $path in
      "$system"/*.d/*) rmdir "$(dirname "$path")" 2>/dev/null || : ;;
    esac
  done
}

# ---------------------------------------------------------------------------- what runs as whom

has_account() { getent passwd "$account" >/dev/null; }

# Runs a command as the service's user; before there is one, as nobody. Never as root, and with nothing of root's environment.
# `env` comes last, because setpriv still has root's capabilities when it runs its command: it could run a file shut to the user.
unprivileged() {
  if [ "$(id -u)" != 0 ]; then
    env -i PATH="$PATH" HOME=/ "$@"
  elif has_account; then
    setpriv --reuid "$account" --regid "$account" --init-groups --no-new-privs env -i PATH="$PATH" HOME="$state" "$@"
  else
    setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs env -i PATH="$PATH" HOME=/ "$@"
  fi
}

# The values of the config's keys $1 (comma-separated), one a line.
ask() { unprivileged "$node" "$program/verify.js" config --env "$env" --config "$config" --get "$1"; }

# ---------------------------------------------------------------------------- this host

check_host() {
  if [ ! -d /run/systemd/system ]; then
    die 69 "this host does not run systemd; verify by hand: cd $root && npx tsx verify.ts --env $env"
  fi
  if [ "$dry" = no ] && [ "$(id -u)" != 0 ]; then die 77 "not root: sudo units/install.sh $env (or --dry-run, which any user may run)"; fi
}

# A bot under systemd must not break because somebody's home is closed or a temporary file is gone.
check_node() {
  if [ -z "$node" ]; then node=$(command -v node || :); fi
  if [ -z "$node" ]; then die 69 "no node on root's PATH; install Node 20.18 or later for everybody, or name it: --node FILE"; fi
  found=$node
  node=$(readlink -f "$node" || :)
  if [ ! -x "$node" ]; then die 69 "there is no program \"$found\""; fi
  case $node in
    /home/* | /root/* | /run/* | /tmp/* | /var/tmp/*)
      die 69 "the units cannot see \"$node\" (their ProtectHome= and PrivateTmp= hide it); install Node under /usr or /opt, or name it: --node FILE"
      ;;
    *[!A-Za-z0-9/._+-]*) die 69 "the path \"$node\" has a character that a unit file does not take; name another: --node FILE" ;;
  esac
  # shellcheck disable=SC2016 # The backquotes are JavaScript's.
  script='const [a, b] = process.versions.node.split(".").map(Number); console.log(a > 20 || (a === 20 && b >= 18) ? "new enough" : `old: ${process.version}`)'
  answer=$(unprivileged "$node" -e "$script" 2>&1) || die 69 "another user cannot run \"$node\" ($(say "$answer" | tail -n 1)); install Node where all can read it"
  if [ "$answer" != "new enough" ]; then die 69 "\"$node\" is too $answer; Node 20.18 or later is needed"; fi
}

check_build() {
  if [ ! -f "$root/build/verify.js" ]; then die 69 "there is no build yet: npm ci && npm run build (as yourself, not as root)"; fi
  if [ -n "$(find "$root/verify.ts" "$root/lib" -name '*.ts' -newer "$root/build/verify.js" 2>/dev/null)" ]; then
    die 69 "build/verify.js is older than its sources: npm run build (as yourself, not as root)"
  fi
  if [ ! -d "$root/node_modules" ]; then die 69 "there are no node_modules: npm ci (as yourself, not as root)"; fi
}

check_name() {
  case $env in
    *[!A-Za-z0-9._-]* | [!A-Za-z0-9]*) die 64 "\"$env\" is not a name: letters, digits, dots, dashes" ;;
    demo) die 64 "\"demo\" is what npm run demo verifies; name the config of a real bot, such as prod" ;;
  esac
}

# The site's config, or the shipped one that will become it.
check_config() {
  config=$etc/$env.yaml
  if [ -f "$config" ]; then return; fi
  config=$root/config/$env.yaml
  if [ -f "$config" ]; then return; fi
  known=$(for file in "$etc"/*.yaml "$root"/config/*.yaml; do if [ -f "$file" ]; then basename "$file" .yaml; fi; done | sort -u | grep -vx demo | tr '\n' ' ')
  die 78 "there is no config \"$env\"; there are: $known- for a new one: sudo cp $root/config/prod.yaml $etc/$env.yaml, and edit it"
}

# ---------------------------------------------------------------------------- program

# Names and contents; owner and mode are the same for all.
hash_of() { (cd "$1" && find . -type f -exec sha256sum {} + | LC_ALL=C sort -k 2 | sha256sum | cut -c 1-8); }

stage_program() {
  program=$scratch/program
  mkdir "$program"
  cp "$root/build/verify.js" "$root/build/LICENSES.txt" "$root/package.json" "$program"
  cp -R "$root/config" "$program"
  # All packages are in verify.js, but for SQLite's binding and the two that load it.
  for name in better-sqlite3 bindings file-uri-to-path; do
    if [ ! -d "$root/node_modules/$name" ]; then die 69 "not installed: $name - npm ci (as yourself, not as root)"; fi
  done
  # Of the binding only what Node loads: its sources and the compiler's files are 25 MB.
  sqlite=node_modules/better-sqlite3
  if [ ! -f "$root/$sqlite/build/Release/better_sqlite3.node" ]; then die 69 "SQLite's binding is not built: npm ci (it needs g++, make and python3)"; fi
  mkdir -p "$program/$sqlite/build/Release"
  cp -R "$root/$sqlite/package.json" "$root/$sqlite/lib" "$root/$sqlite/LICENSE" "$program/$sqlite"
  cp "$root/$sqlite/build/Release/better_sqlite3.node" "$program/$sqlite/build/Release"
  cp -R "$root/node_modules/bindings" "$root/node_modules/file-uri-to-path" "$program/node_modules"
  chmod -R u=rwX,go=rX "$program"
  # The scratch directory is root's and the checkout may be in a closed home; what another user runs and reads is here.
  chmod 755 "$scratch"
  case $config in
    "$root"/*) config=$program/config/$env.yaml ;;
  esac
  version=$(sed -n 's/^  "version": "\([A-Za-z0-9.+-]*\)",*$/\1/p' "$root/package.json" | head -n 1)
  id=$version-$(hash_of "$program")
  # The binding fits one Node: the one that `npm ci` ran under.
  (cd "$program" && unprivileged "$node" -e 'new (require("better-sqlite3"))(":memory:").close()' 2>"$scratch/error") ||
    die 69 "the program does not run under \"$node\" ($(grep -m 1 Error "$scratch/error" || head -n 1 "$scratch/error")); run npm ci with that Node, or name another: --node FILE"
}

# Version and hash name a directory that never changes: a run that goes on meanwhile finds all its files.
install_program() {
  if [ -d "$lib/$id" ] && [ "$version-$(hash_of "$lib/$id")" = "$id" ]; then
    program=$lib/$id
    return
  fi
  changes=$((changes + 1))
  if [ "$dry" = yes ]; then
    say "would copy to $lib/$id: verify.js LICENSES.txt package.json config/ and in node_modules/ better-sqlite3 bindings file-uri-to-path"
    return
  fi
  mkdir -p "$lib"
  rm -rf "$lib/.new" "${lib:?}/$id"
  cp -R "$program" "$lib/.new"
  chown -R root:root "$lib/.new"
  sync -f "$lib/.new"
  mv "$lib/.new" "$lib/$id"
  program=$lib/$id
  say "copied the program to $lib/$id"
}

switch_program() {
  previous=$(readlink "$lib/current" || :)
  if [ "$previous" = "$id" ]; then return; fi
  changes=$((changes + 1))
  if [ "$dry" = yes ]; then
    say "would link $lib/current -> $id${previous:+ (now $previous)}"
    return
  fi
  ln -s "$id" "$lib/current.new"
  mv -fT "$lib/current.new" "$lib/current"
  say "linked $lib/current -> $id"
  # The one before stays, for the runs that are going on.
  for directory in "$lib"/*-????????; do
    case ${directory##*/} in
      "$id" | "$previous") ;;
      *) remove "$directory" ;;
    esac
  done
}

render_wrapper() {
  cat <<TEXT
#!/bin/sh
# Written by cytube-verify's install.sh.
exec $node $lib/current/verify.js "\$@"
TEXT
}

# ---------------------------------------------------------------------------- user, directories, config

install_account() {
  # The list, empty at first: an installation that stops halfway can be undone too.
  if [ ! -e "$lib/instances/$env" ]; then act install -D -m 644 /dev/null "$lib/instances/$env"; fi
  put /etc/sysusers.d/cytube-verify.conf "$root/units/sysusers.d/cytube-verify.conf" 644 root:root
  put /etc/tmpfiles.d/cytube-verify.conf "$root/units/tmpfiles.d/cytube-verify.conf" 644 root:root
  put /etc/logrotate.d/cytube-verify "$root/units/logrotate.d/cytube-verify" 644 root:root
  if ! has_account || ! getent group "$account" >/dev/null; then act systemd-sysusers /etc/sysusers.d/cytube-verify.conf; fi
  want="2770 $account $logs
2770 $account $state
2775 $account $flags
755 root $etc
700 root $etc/credentials"
  there=$(stat -c '%a %U %n' "$logs" "$state" "$flags" "$etc" "$etc/credentials" 2>/dev/null || :)
  if [ "$there" != "$want" ]; then act systemd-tmpfiles --create /etc/tmpfiles.d/cytube-verify.conf; fi
  # Made here, so that it is the service's also where the owner of the releases happens to be the first who writes to it.
  log=$logs/$env.jsonl
  if [ ! -e "$log" ]; then act install -m 660 -o "$account" -g "$account" /dev/null "$log"; fi
  for file in "$log"*; do
    # Left by an uninstallation, or by a run as root.
    if [ "$(stat -c %u "$file" 2>/dev/null)" = 0 ]; then act chown -h "$account:$account" "$file"; fi
  done
}

install_config() {
  put "$etc/schema.json" "$root/config/schema.json" 644 root:root
  if [ ! -e "$etc/$env.yaml" ]; then
    is_new_config=yes
    put "$etc/$env.yaml" "$config" 640 "root:$account"
  elif [ "$(stat -Lc '%a %U:%G' "$etc/$env.yaml")" != "640 root:$account" ]; then
    # It may hold a password, and it says what the units do: root's to write, the service's to read.
    act chown "root:$account" "$etc/$env.yaml"
    act chmod 640 "$etc/$env.yaml"
  fi
  if [ "$dry" = no ]; then config=$etc/$env.yaml; fi
}

# ---------------------------------------------------------------------------- what the site says

read_site() {
  keys=process.unit,health.url,chatServer.url,prometheus.url,alertmanager.url,metrics.file,release.directory,release.current,rollback.auto,rollback.command,rollback.secondsMax,alert.credentials,alert.ping,database.file,errorLogs.files,configuration.file,process.pidFile,log.file,off
  values=$(ask "$keys" && echo end) || die 78 "the config $config is not valid, or the service's user may not read it; nothing was switched. Mend it, and run this again."
  {
    read -r unit
    read -r health_url
    read -r chat_url
    read -r prometheus_url
    read -r alertmanager_url
    read -r metrics_file
    read -r releases
    read -r current
    read -r rollback_auto
    read -r rollback_command
    read -r rollback_seconds
    read -r credentials
    read -r ping
    read -r database
    read -r log_files
    read -r bot_config
    read -r pid_file
    read -r log_file
    read -r off
    read -r end
  } <<TEXT
$values
TEXT
  if [ "$end" != end ]; then die 70 "the program did not answer with one line for each of $keys"; fi
  bot_files="$database ${database:+$database-wal $database-shm} $log_files $bot_config $pid_file"
  case $unit in
    '' | *.service) ;;
    *) unit=$unit.service ;;
  esac
  for value in "$unit" "$releases" "$current" "$metrics_file"; do
    case $value in
      *[!A-Za-z0-9/._:@\\-]*) die 78 "a unit file cannot carry \"$value\": letters, digits and / . _ : @ - only" ;;
    esac
  done
}

# Sets host, for the comment on what is opened.
is_loopback() {
  host=$(printf %s "$1" | sed 's|^[a-z]*://||; s|[/?#].*||; s|^.*@||; s|:[0-9]*$||')
  case $host in
    localhost | 127.* | '[::1]' | '') return 0 ;;
  esac
  return 1
}

# What lets the service's user read the file $1, where it may not: "group NAME" for each group that may and that the unit can be put
# in, "grant COMMAND" for each step on the way that no such group may take.
access_to() {
  if [ ! -e "$1" ]; then return; fi
  if [ "$(id -u)" = 0 ] && unprivileged test -r "$1"; then return; fi
  at=$1
  bit=r
  bits='[4-7]' # The file itself is read; the directories above it are entered.
  while [ "$at" != / ] && [ "$at" != . ]; do
    mode=$(stat -c %a "$at" 2>/dev/null || say 777)
    rest=${mode%?}
    # shellcheck disable=SC2254 # The pattern is meant.
    case ${mode#"$rest"} in
      $bits) ;;
      *)
        group=$(stat -c %G "$at")
        case $group in
          # These are as good as root, or nobody's.
          root | disk | shadow | docker | lxd | sudo | wheel | kmem | UNKNOWN) say "grant sudo setfacl -m u:$account:$bit $at" ;;
          *)
            case ${rest#"${rest%?}"} in
              $bits) ;;
              *) say "grant sudo chmod g+$bit $at" ;;
            esac
            say "group $group"
            ;;
        esac
        ;;
    esac
    bit=x
    bits='[1357]'
    at=$(dirname "$at")
  done
}

# What a unit needs beyond the shipped one to see the bot, and to ask the URLs $@, as directives; nothing where that is enough.
render_access() {
  for url in "$@"; do
    if ! is_loopback "$url"; then
      say "# $host is another host, as far as its name tells."
      say "IPAddressAllow=any"
      break
    fi
  done
  groups=$(for file in $bot_files; do access_to "$file"; done | sed -n 's/^group //p' | sort -u | tr '\n' ' ')
  if [ -n "$groups" ]; then
    say "# The bot's files are theirs to read."
    say "SupplementaryGroups=${groups% }"
  fi
  for file in $bot_files; do
    case $file in
      /home/* | /root/* | /run/user/*)
        say "# The bot's files are in a home: $file"
        say "ProtectHome=read-only"
        break
        ;;
    esac
  done
}

# What verification and tick need, who also ask other sources and export metrics.
render_verify_site() {
  access=$(
    render_access "$health_url" "$chat_url" "$prometheus_url" "$alertmanager_url"
    if [ -n "$metrics_file" ]; then
      say "# metrics.file is written there. \`-\`: without the directory, only the metrics are lost."
      say "ReadWritePaths=-$(dirname "$metrics_file")"
    fi
  )
  if [ -z "$access" ] && [ -z "$1" ]; then return; fi
  say "# Written by cytube-verify's install.sh from $etc/$env.yaml: what this site needs beyond the shipped unit."
  if [ -n "$1" ]; then
    say ""
    say "[Unit]"
    say "# The dead-man ping of a verification begins with its start."
    say "Wants=$1"
  fi
  if [ -n "$access" ]; then
    say ""
    say "[Service]"
    say "$access"
  fi
}

render_alert_site() {
  if [ -z "$credentials" ]; then return; fi
  say "# Written by cytube-verify's install.sh from $etc/$env.yaml."
  say ""
  say "[Service]"
  say "# Its sinks are on the network."
  say "IPAddressAllow=any"
  for name in $credentials; do
    # systemd refuses to start a unit with a credential that is not there, and then no alert would go out at all.
    if [ -e "$etc/credentials/$name" ]; then
      say "LoadCredential=$name:$etc/credentials/$name"
    else
      say "# $etc/credentials/$name was not there: LoadCredential=$name:$etc/credentials/$name"
    fi
  done
}

# Why the rollback is not armed; empty when it is. Sets the user that rolls back.
why_unarmed() {
  if [ -z "$unit" ]; then
    say "process.unit is not set, so nothing could be restarted"
  elif [ -z "$releases$rollback_command" ]; then
    say "neither release.directory nor rollback.command is set in $etc/$env.yaml"
  elif [ -z "$owner" ]; then
    say "the directory $releases is not there yet; make it, and run this again"
  elif [ "$owner" = root ] && [ -n "$releases" ]; then
    say "$releases belongs to root, and no program is run as root to switch it: sudo chown -R USER: $(dirname "$current"), with the user who deploys"
  elif [ "$owner" = root ]; then
    say "$unit runs as root, and rollback.command would too: set User= in the unit, or use release.directory"
  elif [ "$owner" = UNKNOWN ]; then
    say "$releases belongs to a user that does not exist"
  elif [ -n "$releases" ] && [ "$(dirname "$current")" = / ]; then
    say "release.current is in the root directory, where only root could switch it"
  elif [ -n "$releases" ] && [ "$(stat -c %U "$(dirname "$current")" 2>/dev/null)" != "$owner" ]; then
    say "$(dirname "$current"), where the link \"current\" is, belongs to another user than $releases: sudo chown $owner: $(dirname "$current")"
  fi
}

find_owner() {
  owner=
  if [ -n "$releases" ]; then
    if [ -d "$releases" ]; then owner=$(stat -c %U "$releases"); fi
  elif [ -n "$rollback_command" ] && [ -n "$unit" ]; then
    owner=$(systemctl show -p User --value -- "$unit")
    owner=${owner:-root}
  fi
}

# The shipped drop-in with this site's names in place of the example's.
render_rollback_site() {
  group=$(id -gn "$owner")
  place=$(dirname "${current:-/}")
  where="ReadWritePaths=$place"
  case $place in
    /home/* | /root/*) where="$where\\nProtectHome=read-only" ;;
  esac
  if [ -n "$rollback_command" ]; then
    where='# What rollback.command writes is for the permissions of its user to say.\nProtectSystem=full\nProtectHome=no'
  fi
  # The command may take as long as the confirmation; stopping and starting the bot come on top.
  if [ "${rollback_seconds%.*}" -gt 60 ]; then where="$where\\nTimeoutStartSec=$((2 * ${rollback_seconds%.*} + 200))s"; fi
  lock=
  if [ -z "$releases" ]; then lock='/^# A deployer/d; s|/usr/bin/flock .* /usr/local/bin/|/usr/local/bin/|'; fi
  if [ -n "$rollback_command" ]; then lock="$lock; /^# Where/d"; fi
  sed -e "s|^# Arms the rollback.*|# Written by cytube-verify's install.sh from $etc/$env.yaml: arms the rollback.|" \
    -e "s|^User=.*|User=$owner|; s|^Group=.*|Group=$group|; s|^ReadWritePaths=.*|$where|" \
    -e "s|/srv/cytube-bot/releases|$releases|; s|cytube-bot\.service|$(printf %s "$unit" | sed 's/\\/\\\\/g')|" \
    -e "$lock" "$root/units/cytube-rollback@prod.service.d/site.conf"
  render_access "$health_url" "$chat_url" | grep -v '^ProtectHome=\|^# The bot.s files are in a home' || :
}

# ---------------------------------------------------------------------------- units

is_untouched() { grep -q '"#change-me"' "$config" 2>/dev/null; }

put_if_any() {
  if [ -s "$2" ]; then put "$@"; fi
}

install_units() {
  for name in $shared_units; do put "$system/$name" "$root/units/$name" 644 root:root; done
  installed= # From here on, what belongs to this instance: the metrics too, which would go on telling of it.
  if [ -n "$metrics_file" ]; then
    installed="$metrics_file
"
  fi
  # A config that nobody has edited would judge the bot by another bot's paths.
  if [ -n "$unit" ] && ! is_untouched; then
    hook=$system/$unit.d/verify.conf
    other=$(grep -lxF "$hook" "$lib"/instances/* 2>/dev/null | grep -vxF "$lib/instances/$env" || :)
    if [ -n "$other" ]; then die 78 "$unit is verified as \"$(basename "$other")\" already; one bot has one config (units/install.sh $(basename "$other") --uninstall)"; fi
    if [ -e "$hook" ] && ! grep -q cytube-verify@ "$hook"; then die 78 "$hook is there, and is not cytube-verify's; move it away"; fi
    sed -e "s|cytube-verify@prod|cytube-verify@$env|g" \
      -e "s|^# install.sh writes this.*|# Written by cytube-verify's install.sh from $etc/$env.yaml.|" "$root/units/cytube-bot.service.d/verify.conf" >"$scratch/hook"
    put "$hook" "$scratch/hook" 644 root:root
  fi
  render_verify_site "${ping:+cytube-alert@$env.service}" >"$scratch/verify"
  put_if_any "$system/cytube-verify@$env.service.d/site.conf" "$scratch/verify" 644 root:root
  render_verify_site '' >"$scratch/burnin"
  put_if_any "$system/cytube-burnin@$env.service.d/site.conf" "$scratch/burnin" 644 root:root
  render_alert_site >"$scratch/alert"
  put_if_any "$system/cytube-alert@$env.service.d/site.conf" "$scratch/alert" 644 root:root
  find_owner
  unarmed=$(why_unarmed)
  if [ -z "$unarmed" ]; then
    render_rollback_site >"$scratch/rollback"
    put "$system/cytube-rollback@$env.service.d/site.conf" "$scratch/rollback" 644 root:root
  fi
  # What an earlier run has written and this one has not.
  if [ -f "$lib/instances/$env" ]; then
    stale=$(while IFS= read -r path; do case $installed in *"$path
"*) ;; *) say "$path" ;; esac; done <"$lib/instances/$env")
    # shellcheck disable=SC2086 # One path a word; none has a blank.
    remove $stale
  fi
  printf %s "$installed" >"$scratch/instance"
  put "$lib/instances/$env" "$scratch/instance" 644 root:root
}

reload() {
  if [ "$changes" -gt 0 ] && [ "$dry" = no ]; then systemctl daemon-reload; fi
}

# ---------------------------------------------------------------------------- trial

# Runs the command line $2 in the hardened unit $1 as this instance has it: same user, same confinement, no consequences, for log,
# state and flags are empty directories of the trial's own. Returns the command's exit code; what it printed is in $trial/out.
try_in() {
  name=cytube-trial@$env.service
  rm -rf "$trial/log" "$trial/state" "$trial/flags" "$trial/metrics"
  for directory in log state flags metrics; do install -d -m 2770 -o "$account" -g "$account" "$trial/$directory"; done
  mkdir -p "$runtime/$name.d"
  # What starts, stops or orders other units is left out, and so are the steps.
  effects='^(After|Conflicts|Wants|ConditionPathExists|OnSuccess|OnSuccessJobMode|OnFailure|Type|Exec[A-Za-z]*|SuccessExitStatus|RuntimeMaxSec|TimeoutStartSec)=|^Environment=CYTUBE'
  grep -vE "$effects|^ReadWritePaths=" "$system/$1@.service" >"$runtime/cytube-trial@.service"
  # Where a unit writes if it can (`-`), the trial has its own; what the rollback has to write to, it has to have.
  if [ -f "$system/$1@$env.service.d/site.conf" ]; then
    grep -vE "$effects|^ReadWritePaths=-" "$system/$1@$env.service.d/site.conf" >"$runtime/$name.d/site.conf"
  fi
  metrics=
  if [ -n "$metrics_file" ] && [ -d "$(dirname "$metrics_file")" ]; then metrics=$trial/metrics:$(dirname "$metrics_file"); fi
  cat >"$runtime/$name.d/trial.conf" <<TEXT
[Service]
Type=oneshot
ExecStart=$2
TimeoutStartSec=3min
BindPaths=$trial/log:$logs $trial/state:$state $trial/flags:$flags $metrics
Environment=NO_COLOR=1
StandardOutput=truncate:$trial/out
StandardError=truncate:$trial/err
TEXT
  # Without a daemon-reload, which would insert a tick into a running burn-in: systemd finds a unit that is new by itself.
  systemctl start "$name" 2>/dev/null || :
  code=$(systemctl show -p ExecMainStatus --value "$name")
  end_trial
  return "$code"
}

end_trial() {
  systemctl reset-failed "cytube-trial@$env.service" 2>/dev/null || :
  rm -rf "$runtime/cytube-trial@.service" "$runtime/cytube-trial@$env.service.d"
}

try_probes() {
  if [ "$dry" = yes ]; then
    say "would run every probe once inside the hardened unit, and print what it may not see"
    return
  fi
  trial=$(mktemp -d /run/cytube-trial.XXXXXX)
  say ""
  code=0
  if [ -n "$unit" ] && ! systemctl --quiet is-active "$unit"; then
    try_in cytube-verify "$bin --env $env --dry-run" || code=$?
    if [ "$code" = 0 ]; then
      say "The hardened unit can run the program. What it may see of the bot is tried when the bot runs: start $unit, and run this again."
    fi
  else
    say "Every probe, once, inside the hardened unit (the watch is left out, nothing is recorded, nothing follows from it):"
    try_in cytube-verify "$bin --env $env --skip uptime_stability --no-attach" || code=$?
    # The action is for a verdict, and this is none.
    grep -v '^Action: ' "$trial/out" || :
    # A finding that is unknown, with its evidence and what to do about it.
    unseen=$(awk '/^  [a-zA-Z]/ { is_unknown = $1 == "unknown" } /^[^ ]/ { is_unknown = 0 } is_unknown' "$trial/out")
    if [ -n "$unseen" ]; then
      say "What it may not see, or could not, and what helps:"
      say "$unseen"
    elif [ -s "$trial/out" ]; then
      say "It may see everything that the config asks for."
    fi
  fi
  if [ ! -s "$trial/out" ]; then
    warn "the trial ended with $code, and without a result:"
    sed 's/^/  /' "$trial/err"
  fi
  if [ -z "$unarmed" ]; then try_rollback; fi
}

# What the rollback has to read and write, tried as its user and inside its unit.
try_rollback() {
  script="test -r $etc/$env.yaml || echo it may not read $etc/$env.yaml"
  script="$script; test -w $logs || echo it may not write to $logs"
  if [ -n "$releases" ]; then
    script="$script; test -w $(dirname "$current") || echo it may not write to $(dirname "$current"): sudo chown $owner: $(dirname "$current")"
    script="$script; test -r $releases || echo it may not read $releases: sudo chown $owner: $releases"
  fi
  try_in cytube-rollback "/bin/sh -c '$script'" || warn "the trial of cytube-rollback@$env.service ended with $?: $(tail -n 1 "$trial/err")"
  if [ -s "$trial/out" ]; then
    say "The rollback, run as $owner:"
    sed 's/^/  /' "$trial/out"
  fi
}

# ---------------------------------------------------------------------------- what comes next

# Whether metrics.file can be written to its directory $1.
note_metrics() {
  case $1 in
    /home/* | /root/* | /root | /tmp | /tmp/* | /var/tmp | /var/tmp/*) warn "metrics.file is in $1, which the units cannot see" ;;
    *)
      if [ ! -d "$1" ]; then
        warn "there is no directory $1 for metrics.file; is it the one of node_exporter's --collector.textfile.directory?"
      elif [ "$(id -u)" = 0 ] && ! unprivileged test -w "$1"; then
        warn "$account may not write metrics to $1; this helps: sudo chgrp $account $1 && sudo chmod g+wx $1"
      fi
      ;;
  esac
}

say_notes() {
  if [ "$log_file" != "$logs/$env.jsonl" ] && [ "$(dirname "$log_file")" != "$logs" ]; then
    warn "log.file is $log_file; the units may only write to $logs, so no run could be recorded"
  fi
  if [ -n "$metrics_file" ]; then note_metrics "$(dirname "$metrics_file")"; fi
  for file in $bot_files; do
    case $file in
      /tmp/* | /var/tmp/*) warn "$file is a temporary file; the units have a /tmp of their own and cannot see it" ;;
    esac
    grants=$(access_to "$file" | sed -n 's/^grant //p')
    if [ -n "$grants" ]; then
      warn "$account may not read $file; this helps, and then run this again (UMask=0027 in the bot's unit keeps it so):"
      say "$grants" | sed 's/^/        /'
    fi
  done
  if [ -n "$rollback_command" ] && [ -z "$unarmed" ]; then
    warn "rollback.command runs as $owner and without sudo; the bot is restarted after it"
  fi
  for name in $credentials; do
    if [ ! -e "$etc/credentials/$name" ]; then
      warn "a secret of the alerts is missing; paste it, Ctrl-D, then run this again: sudo install -m 600 /dev/stdin $etc/credentials/$name"
    fi
  done
  if is_untouched; then
    warn "$etc/$env.yaml is as it was shipped, so no start of $unit starts a verification yet; edit it, and run this again"
  elif [ -z "$unit" ]; then
    warn "the bot is not a systemd unit here (process.unit is not set), so no start of it can start a verification."
    warn "Run it after each start, by hand or by what starts the bot: sudo systemctl start cytube-verify@$env.service"
  elif [ "$(systemctl show -p LoadState --value -- "$unit")" = not-found ]; then
    warn "there is no $unit on this host; is process.unit the name that systemctl list-units shows?"
  fi
  if [ -n "$unarmed" ]; then
    warn "rollback is not armed: $unarmed"
  elif [ "$rollback_auto" = false ]; then
    warn "rollback is by hand (rollback.auto is false): cytube-verify rollback --env $env"
  fi
  if [ -n "$off" ]; then warn "never checked here, by the config's \"off\": $off"; fi
}

say_next() {
  say ""
  if [ "$dry" = yes ]; then
    say "$changes changes; nothing was touched."
    return
  fi
  if [ "$changes" = 0 ]; then say "unchanged: everything is as $etc/$env.yaml asks for."; fi
  say "Next:"
  if [ "$is_new_config" = yes ] || is_untouched; then
    say_row "sudoedit $etc/$env.yaml" "make it yours"
    say_row "sudo units/install.sh $env" "tries every probe, and hooks the bot's unit"
    return
  fi
  if [ -n "$unit" ]; then say_row "sudo systemctl restart $unit" "the verification follows by itself"; fi
  say_row "sudo systemctl start cytube-verify@$env" "verifies the bot as it runs now"
  say_row "cytube-verify status --env $env" "release, last verdict, next tick of the burn-in"
  say_row "sudo usermod -aG $account YOU" "lets you run it by hand and read its log"
}

say_row() { printf '  %-46s %s\n' "$1" "$2"; }

# ---------------------------------------------------------------------------- uninstall

uninstall() {
  if [ ! -f "$lib/instances/$env" ]; then
    say "unchanged: \"$env\" is not installed here."
    return
  fi
  # The hooks first: a restart of the bot must not start what is being stopped.
  metrics_file=
  while IFS= read -r path; do
    case $path in
      *.prom) metrics_file=$path ;; # Later: a run that goes on may write it once more.
      *) remove "$path" ;;
    esac
  done <"$lib/instances/$env"
  act systemctl daemon-reload
  # The alert last: the end of each of the others starts it.
  for name in "cytube-verify@$env.service" "cytube-burnin@$env.timer" "cytube-burnin@$env.service" "cytube-rollback@$env.service" "cytube-alert@$env.service" "cytube-alert@$env.timer"; do
    case $(systemctl show -p ActiveState --value "$name") in
      inactive) ;;
      failed) act systemctl reset-failed "$name" ;;
      *) act systemctl stop "$name" ;;
    esac
  done
  remove "$lib/instances/$env"
  remove "$state/$env.releases.json" "$state/$env.alert.json" "$flags/$env.passed" "$flags/$env.judged" "$flags/$env.rollback" "$flags/$env.unverified" "$metrics_file"
  others=$(find "$lib/instances" -type f ! -name "$env" -exec basename {} \; | sort | tr '\n' ' ')
  if [ -n "$others" ]; then
    say "The program stays for: ${others% }"
  else
    uninstall_shared
  fi
  say "$logs and $etc stay; they are yours to remove."
}

uninstall_shared() {
  for name in $shared_units; do remove "$system/$name"; done
  remove /etc/sysusers.d/cytube-verify.conf /etc/tmpfiles.d/cytube-verify.conf /etc/logrotate.d/cytube-verify "$bin" "$lib" "$state" "$flags"
  act systemctl daemon-reload
  # Without their user, the logs would belong to whoever gets its number next, and so would what was opened for the metrics.
  if [ -d "$logs" ]; then act chown -Rh root:root "$logs"; fi
  place=$(dirname "${metrics_file:-/}")
  if [ "$(stat -c %G "$place" 2>/dev/null)" = "$account" ]; then act chgrp root "$place"; fi
  for file in "$etc"/*.yaml; do
    if [ "$(stat -c %G "$file" 2>/dev/null)" = "$account" ]; then act chgrp root "$file"; fi
  done
  if has_account; then act userdel "$account"; fi
  if getent group "$account" >/dev/null && [ "$dry" = no ]; then groupdel "$account"; fi
}

# ---------------------------------------------------------------------------- main

env=
dry=no
undo=no
node=
while [ $# -gt 0 ]; do
  case $1 in
    --dry-run) dry=yes ;;
    --uninstall) undo=yes ;;
    --node)
      if [ $# -lt 2 ]; then die 64 "--node needs a file"; fi
      node=$2
      shift
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    -*) die 64 "unknown flag \"$1\"; try --help" ;;
    *)
      if [ -n "$env" ]; then die 64 "unexpected argument \"$1\"; one config at a time"; fi
      env=$1
      ;;
  esac
  shift
done
if [ -z "$env" ]; then
  usage >&2
  exit 64
fi

root=$(cd "$(dirname "$0")/.." && pwd -P)
installed=
is_new_config=no
trial=
scratch=$(mktemp -d)
cleanup() {
  if [ -n "$trial" ]; then
    end_trial
    rm -rf "$trial"
  fi
  rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

check_name
check_host
if [ "$undo" = yes ]; then
  uninstall
  exit 0
fi
check_config
check_build
check_node
stage_program
install_account
install_program
install_config
# Asked of the new program before anything is switched to it: a config that is not valid changes nothing that runs.
read_site
switch_program
render_wrapper >"$scratch/wrapper"
put "$bin" "$scratch/wrapper" 755 root:root
install_units
reload
try_probes
say ""
say_notes
say_next
