/**
 * Bytes to lines.
 *
 * @module
 */

/** Decodes a stream of bytes to its lines, the last also without a line break. */
export class TextLineStream extends TransformStream<Uint8Array<ArrayBuffer>, string> {
  /** Makes one. */
  constructor() {
    const decoder = new TextDecoder();
    let rest = "";
    super({
      transform(bytes, controller) {
        const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
        rest = lines.pop()!;
        for (const line of lines) controller.enqueue(line);
      },
      flush(controller) {
        if (rest !== "") controller.enqueue(rest);
      },
    });
  }
}
