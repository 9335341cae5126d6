/**
 * Requests over HTTP as bytes, as clients send them that are broken or mean harm.
 *
 * @module
 */

/** A connection on which anything can be sent. */
export class RawConnection implements Disposable {
  /** All that was received, when the other side has closed the connection. */
  readonly received: Promise<string>;
  readonly #connection: Deno.TcpConn;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
    this.received = readAll(connection);
  }

  /** Connects to a port of this host. */
  static async open(port: number): Promise<RawConnection> {
    return new RawConnection(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Sends text. Does nothing if the other side has closed the connection. */
  async send(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    try {
      for (let sent = 0; sent < bytes.length;) {
        sent += await this.#connection.write(bytes.subarray(sent));
      }
    } catch {
      // What was received says why.
    }
  }

  [Symbol.dispose](): void {
    try {
      this.#connection.close();
    } catch {
      // The other side has.
    }
  }
}

/** Sends a request as text, and gives all of the answer. */
export async function rawRequest(port: number, text: string): Promise<string> {
  using connection = await RawConnection.open(port);
  await connection.send(text);
  return await connection.received;
}

async function readAll(connection: Deno.TcpConn): Promise<string> {
  let text = "";
  const bytes = new Uint8Array(65536);
  const decoder = new TextDecoder();
  try {
    for (let count; (count = await connection.read(bytes)) !== null;) {
      text += decoder.decode(bytes.subarray(0, count), { stream: true });
    }
  } catch {
    // It was reset.
  }
  return text;
}
