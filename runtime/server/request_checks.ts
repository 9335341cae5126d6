/**
 * Checks of requests: everything from a peer is checked for type and size before it is used.
 *
 * Each protocol describes its requests in one file with the checks below, and its service is served
 * with them: control, the registry, the loader, REPL sessions.
 *
 * A schema library is not used, because loading one at startup would cost a command more than its
 * own work, libraries quote the whole value in their messages, and with a library loaded at the
 * first request, the loss of the connection could overtake that request.
 *
 * @module
 */
import { type ActorId, checkActorId, checkServerId } from "../actor/references.ts";
import type { Handlers, RequestCheck } from "../actor/service.ts";
import { describeValue } from "../inspection.ts";
import { shorten } from "../safe_text.ts";
import { InvalidInputError } from "../errors.ts";
import { type Address, validAddress } from "../wire/address.ts";
import type { Bytes } from "./credentials.ts";

/**
 * Returns a value that is safe to use, with only the requested parts; throws if it does not match.
 */
export type Check<Value> = (value: unknown) => Value;

/** The longest name of a host, in UTF-16 code units: that of the DNS. */
export const MAX_HOST = 255;

/** The longest path, in UTF-16 code units: `PATH_MAX` of Linux. */
export const MAX_PATH = 4096;

/** Thrown if a part of a request does not match. */
class Mismatch extends Error {
  /** The keys that lead to the part, innermost first. */
  readonly path: (string | number)[] = [];
  readonly #value: unknown;
  readonly #wanted: string;

  constructor(value: unknown, wanted: string) {
    super();
    this.#value = value;
    this.#wanted = wanted;
  }

  /** Describes the part: what it is, and what it should be. */
  describe(): string {
    const part = this.path.length === 0 ? "it" : shorten(this.path.toReversed().join("."));
    if (this.#value === undefined) return `${part} is missing: ${this.#wanted}`;
    return `${part} is ${describeValue(this.#value)}, not ${this.#wanted}`;
  }
}

/** The checks that a service needs, by type: for the parameters of its handlers, except `type`. */
export type RequestForms<H extends Handlers> = {
  readonly [Type in keyof H]: Check<
    Parameters<H[Type]> extends [] ? object : Omit<Parameters<H[Type]>[0], "type">
  >;
};

/**
 * Makes the checks of a service. A malformed request is refused with an {@linkcode
 * InvalidInputError} that names the part and its truncated value.
 */
export function requestChecks<H extends Handlers>(
  forms: RequestForms<H>,
): { readonly [Type in keyof H]: RequestCheck } {
  const checks = Object.entries(forms).map(([type, check]): [string, RequestCheck] => [
    type,
    checked(check, `a request ${type}`),
  ]);
  return Object.fromEntries(checks) as { [Type in keyof H]: RequestCheck };
}

/** Makes a check whose {@linkcode InvalidInputError} calls the value `what`. */
export function checked<Value>(check: Check<Value>, what: string): Check<Value> {
  return (value) => {
    try {
      return check(value);
    } catch (error) {
      if (!(error instanceof Mismatch)) throw error;
      throw new InvalidInputError(`not ${what}: ${error.describe()}`);
    }
  };
}

/** The checks that a service's answers need, by the type of the request. */
export type AnswerForms<H extends Handlers> = {
  readonly [Type in keyof H]?: Check<Awaited<ReturnType<H[Type]>>>;
};

/** Makes checks of answers, for `client`: a peer's answer is as untrusted as its request. */
export function answerChecks<H extends Handlers>(
  forms: AnswerForms<H>,
): Readonly<Record<string, Check<unknown>>> {
  return Object.fromEntries(
    Object.entries(forms).map(([type, check]) => [
      type,
      checked(check as Check<unknown>, `an answer to ${type}`),
    ]),
  );
}

/** An object with these parts. Undefined ones are left out. */
export function parts<Parts extends Record<string, unknown>>(
  checks: { readonly [Key in keyof Parts]: Check<Parts[Key]> },
): Check<Parts> {
  const entries = Object.entries(checks) as [string, Check<unknown>][];
  return (value) => {
    if (typeof value !== "object" || value === null) throw new Mismatch(value, "an object");
    const checked: Record<string, unknown> = {};
    let key = "";
    try {
      for (let at = 0; at < entries.length; at++) {
        const [name, check] = entries[at]!;
        key = name;
        const part = check((value as Record<string, unknown>)[key]);
        if (part !== undefined) checked[key] = part;
      }
    } catch (error) {
      throw locate(error, key);
    }
    return checked as Parts;
  };
}

/** A request without parts. */
export const nothing: Check<Record<string, never>> = parts({});

/** An optional part. */
export function optional<Value>(check: Check<Value>): Check<Value | undefined> {
  return (value) => value === undefined ? undefined : check(value);
}

/** A text of at most `length` UTF-16 code units. */
export function text(length: number): Check<string> {
  return (value) => {
    if (typeof value === "string" && value.length <= length) return value;
    throw new Mismatch(
      value,
      length < Infinity ? `a text of up to ${length} characters` : "a text",
    );
  };
}

/** A text of at most `length` bytes of UTF-8. */
export function utf8(length: number): Check<string> {
  return (value) => {
    const isShort = typeof value === "string" && value.length <= length;
    // A code unit takes at most three bytes.
    if (isShort && 3 * value.length <= length) return value;
    if (isShort && new TextEncoder().encode(value).length <= length) return value;
    throw new Mismatch(value, `a text of up to ${length} bytes`);
  };
}

/** A text that is truncated to `length` UTF-16 code units. */
export function shortened(length: number): Check<string> {
  return (value) => shorten(text(Infinity)(value), length);
}

/** A text that matches a pattern; `wanted` describes it. */
export function matching(pattern: RegExp, wanted: string): Check<string> {
  return (value) => {
    if (typeof value === "string" && pattern.test(value)) return value;
    throw new Mismatch(value, wanted);
  };
}

/** One of these texts. */
export function oneOf<const Text extends string>(...texts: readonly Text[]): Check<Text> {
  return (value) => {
    if (texts.includes(value as Text)) return value as Text;
    throw new Mismatch(value, `one of ${texts.join(", ")}`);
  };
}

/** A non-negative integer. */
export const wholeNumber: Check<number> = (value) => {
  if (Number.isSafeInteger(value) && value as number >= 0) return value as number;
  throw new Mismatch(value, "a whole number");
};

/** A non-negative integer up to `most`; `wanted` describes it. */
export function wholeNumberUpTo(
  most: number,
  wanted = `a whole number up to ${most}`,
): Check<number> {
  return (value) => {
    if (Number.isSafeInteger(value) && value as number >= 0 && value as number <= most) {
      return value as number;
    }
    throw new Mismatch(value, wanted);
  };
}

/** A positive integer. */
export const positive: Check<number> = (value) => {
  if (Number.isSafeInteger(value) && value as number > 0) return value as number;
  throw new Mismatch(value, "a positive whole number");
};

/** The number of a device or an inode: 64 bits, rounded if large. */
const fileNumber: Check<number> = (value) => {
  if (Number.isInteger(value) && value as number >= 0) return value as number;
  throw new Mismatch(value, "the number of a file");
};

/** A finite number. */
export const finiteNumber: Check<number> = (value) => {
  if (Number.isFinite(value)) return value as number;
  throw new Mismatch(value, "a number");
};

/** A time in ms since 1970, in the range of `Date`. */
export const timestamp: Check<number> = (value) => {
  if (typeof value === "number" && !Number.isNaN(new Date(value).getTime())) return value;
  throw new Mismatch(value, "a time in ms since 1970");
};

/** True or false. */
export const flag: Check<boolean> = (value) => {
  if (typeof value === "boolean") return value;
  throw new Mismatch(value, "true or false");
};

/** A limited number of bytes, copied, since the original may be a view of the whole frame. */
export function bytes(most: number, least = 0): Check<Bytes> {
  return (value) => {
    if (value instanceof Uint8Array && value.length <= most && value.length >= least) {
      return new Uint8Array(value);
    }
    throw new Mismatch(value, most === least ? `${most} bytes` : `up to ${most} bytes`);
  };
}

/** A list of limited length; the length is checked before any item. */
export function listOf<Item>(check: Check<Item>, length: number): Check<Item[]> {
  return (value) => {
    if (!Array.isArray(value) || value.length > length) {
      throw new Mismatch(value, `a list of up to ${length}`);
    }
    const items: Item[] = [];
    try {
      // By index, since an array with holes is longer than its items.
      while (items.length < value.length) items.push(check(value[items.length]));
    } catch (error) {
      throw locate(error, items.length);
    }
    return items;
  };
}

/** A list of two. */
export function pairOf<Item>(check: Check<Item>): Check<[Item, Item]> {
  const list = listOf(check, 2);
  return (value) => {
    const [first, second] = list(value);
    if (first === undefined || second === undefined) throw new Mismatch(value, "a list of two");
    return [first, second];
  };
}

/** An object with at most `count` keys, all of whose keys and values pass a check. */
export function recordOf<Value>(
  key: Check<string>,
  value: Check<Value>,
  count: number,
): Check<Record<string, Value>> {
  const entry = (name: string, part: unknown): [string, Value] => {
    try {
      return [key(name), value(part)];
    } catch (error) {
      throw locate(error, name);
    }
  };
  return (given) => {
    if (typeof given !== "object" || given === null) throw new Mismatch(given, "an object");
    const entries = Object.entries(given);
    if (entries.length > count) throw new Mismatch(given, `an object of up to ${count} parts`);
    // Unlike an assignment, this makes a property of any name, `__proto__` included.
    return Object.fromEntries(entries.map(([name, part]) => entry(name, part)));
  };
}

/** An object of texts, each of limited length, and at most `count` of them. */
export function textByText(length: number, count: number): Check<Record<string, string>> {
  return recordOf(text(length), text(length), count);
}

/** One of several forms, distinguished by the part `kind`. */
export function byKind<Value extends { kind: string }>(
  checks: { readonly [Kind in Value["kind"]]: Check<Value> },
): Check<Value> {
  const kind = parts({ kind: oneOf(...Object.keys(checks) as Value["kind"][]) });
  return (value) => checks[kind(value).kind as Value["kind"]](value);
}

/** A server id. */
export const serverId: Check<string> = (value) => checkServerId(text(Infinity)(value));

/** The name or serial number of an actor. */
export const actorId: Check<ActorId> = (value) => checkActorId(value as ActorId);

const internetAddress = parts({
  kind: oneOf("tcp", "tls"),
  host: text(MAX_HOST),
  port: wholeNumber,
});

const anyAddress = byKind<Address>({
  unix: parts({
    kind: oneOf("unix"),
    host: text(MAX_HOST),
    path: text(MAX_PATH),
    file: optional(parts({ device: fileNumber, inode: fileNumber })),
  }),
  tcp: internetAddress,
  tls: internetAddress,
});

/** A valid address; the file of a socket, which is not in its text form, is kept. */
export const address: Check<Address> = (value) => {
  const checked = anyAddress(value);
  const read = validAddress(checked);
  return checked.kind === "unix" && checked.file
    ? { ...read, file: checked.file } as Address
    : read;
};

/** Adds the containing part to the error of a check, if that is a mismatch. */
function locate(error: unknown, key: string | number): unknown {
  if (error instanceof Mismatch) error.path.push(key);
  return error;
}
