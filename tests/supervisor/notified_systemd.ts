/**
 * What systemd does with notifications: receives them at a socket. A program in Python receives
 * them, so that the bytes are those that others understand.
 *
 * @module
 */
import { RunningProcess } from "../e2e/running_ensemble.ts";

const RECEIVER = `
import json, socket, struct, sys
path = sys.argv[1]
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
receiver.bind("\\0" + path[1:] if path.startswith("@") else path)
print("listening", flush=True)
while True:
    data, ancillary, flags, sender = receiver.recvmsg(4096, 1024)
    [pid] = [struct.unpack("3i", data)[0] for _, kind, data in ancillary if kind == socket.SCM_CREDENTIALS]
    print(json.dumps({"pid": pid, "lines": data.decode().split("\\n")}), flush=True)
`;

/** A received notification. */
export interface Notification {
  /** The sender, as the kernel says. */
  readonly pid: number;
  /** Its lines: `READY=1`. */
  readonly lines: readonly string[];
}

/** A socket that receives notifications. It is closed with `await using`. */
export class NotifiedSystemd implements AsyncDisposable {
  /** The value of `NOTIFY_SOCKET`. */
  readonly path: string;
  readonly #receiver: RunningProcess;

  private constructor(path: string, receiver: RunningProcess) {
    this.path = path;
    this.#receiver = receiver;
  }

  /** Listens at a path, or at an abstract socket whose name begins with `@`. */
  static async listen(path: string): Promise<NotifiedSystemd> {
    const receiver = new RunningProcess(
      new Deno.Command("python3", {
        args: ["-c", RECEIVER, path],
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn(),
    );
    const systemd = new NotifiedSystemd(path, receiver);
    await receiver.printed("listening");
    return systemd;
  }

  /** What has been received so far. */
  get received(): Notification[] {
    return this.#receiver.output.slice(1).map((line) => JSON.parse(line));
  }

  /** Waits for a notification that has a line. */
  async receives(line: string): Promise<Notification> {
    const has = () => this.received.find(({ lines }) => lines.includes(line));
    await this.#receiver.until(async () => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      return has() !== undefined;
    }, `received ${line}`);
    return has()!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#receiver.kill();
  }
}
