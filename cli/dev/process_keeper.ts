/**
 * Ends the processes of a command that is killed: a small process of its own, which no signal to the
 * command or its terminal reaches.
 *
 * @module
 */

/**
 * Reads the process groups to end from standard input, `+ <group>` and `- <group>`. At its end, the
 * command has ended, however that happened: the groups have 6 s to stop, and are then killed. The
 * directory `$1` is removed.
 */
const KEEP = `
groups=
while read -r what group; do
  case $what in
    +) groups="$groups $group" ;;
    -)
      rest=
      for each in $groups; do
        [ "$each" = "$group" ] || rest="$rest $each"
      done
      groups=$rest ;;
  esac
done
for each in $groups; do
  kill -s TERM -- "-$each" 2>/dev/null
done
count=0
while [ -n "$groups" ] && [ "$count" -lt 60 ]; do
  sleep 0.1
  count=$((count + 1))
  rest=
  for each in $groups; do
    kill -s 0 -- "-$each" 2>/dev/null && rest="$rest $each"
  done
  groups=$rest
done
for each in $groups; do
  kill -s KILL -- "-$each" 2>/dev/null
done
rm -rf -- "$1"
`;

const encoder = new TextEncoder();

/** Knows the process groups of this command, and ends them when the command is gone. */
export class ProcessKeeper implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;

  /**
   * Starts the process.
   *
   * @param directory is removed at the end.
   */
  constructor(directory: string) {
    this.#process = new Deno.Command("/bin/sh", {
      args: ["-c", KEEP, "sh", directory],
      detached: true,
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#writer = this.#process.stdin.getWriter();
  }

  /** Ends a process group together with this command. */
  add(group: number): Promise<void> {
    return this.#say(`+ ${group}`);
  }

  /** No longer ends a group, since it has ended: its number may become that of another one. */
  remove(group: number): Promise<void> {
    return this.#say(`- ${group}`);
  }

  async #say(line: string): Promise<void> {
    // Without the process, which only a user can end, nothing is lost but its help.
    await this.#writer.write(encoder.encode(`${line}\n`)).catch(() => {});
  }

  /** Ends what is left, and the process. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close().catch(() => {});
    await this.#process.status;
  }
}
