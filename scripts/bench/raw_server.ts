/**
 * The process of a bare socket at the far end. Run with a transport and a directory; prints `ready`
 * and its address.
 *
 * The first byte of a connection says what it does.
 *
 * @module
 */
import type { Transport } from "./case.ts";
import { collectGarbage } from "./ensemble_peer.ts";
import { FrameBatch, FrameCutter } from "./raw_frames.ts";
import { listenRaw, RawMode, type RawStream } from "./raw_stream.ts";

async function serve(stream: RawStream): Promise<void> {
  const first = await stream.read();
  if (!first) return;
  const mode: RawMode = first[0]!;
  await stream.write(new Uint8Array([mode]));
  switch (mode) {
    case RawMode.Bytes:
      for (let bytes; (bytes = await stream.read());) await stream.write(bytes);
      return;
    case RawMode.Memory:
      while (await stream.read()) {
        collectGarbage();
        await stream.write(numberBytes(Deno.memoryUsage().rss));
      }
      return;
    case RawMode.Frames:
      return await answerFrames(stream);
    default:
      return await countFrames(stream, mode);
  }
}

async function answerFrames(stream: RawStream): Promise<void> {
  const cutter = new FrameCutter();
  const answers = new FrameBatch();
  const answer = (body: Uint8Array) => answers.add(body);
  for (let bytes; (bytes = await stream.read());) {
    cutter.cut(bytes, answer);
    await answers.writeTo(stream);
  }
}

async function countFrames(stream: RawStream, mode: RawMode): Promise<void> {
  const cutter = new FrameCutter();
  let count = 0;
  let isAsked = false;
  let kept: Uint8Array;
  const take = (body: Uint8Array) => {
    if (body.length === 0) return void (isAsked = true);
    count++;
    if (mode === RawMode.Take) kept = owned(body);
  };
  for (let bytes; (bytes = await stream.read());) {
    cutter.cut(bytes, take);
    if (!isAsked) continue;
    isAsked = false;
    await stream.write(numberBytes(count));
  }
  void kept!;
}

/** A message keeps its bytes. A large frame was gathered in bytes of its own. */
function owned(body: Uint8Array): Uint8Array {
  return body.length === body.buffer.byteLength ? body : body.slice();
}

function numberBytes(number: number): Uint8Array {
  return new Uint8Array(new Float64Array([number]).buffer);
}

const [transport, directory, readSize] = Deno.args as [Transport, string, string?];
const address = await listenRaw(
  { transport, directory },
  (stream) => void serve(stream).catch(() => {}).finally(() => stream.close()),
  readSize === undefined ? undefined : Number(readSize),
);
console.log(`ready ${address} .`);
