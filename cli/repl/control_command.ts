/**
 * What a control command of the REPL is.
 *
 * @module
 */
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import type { ServerId } from "../../runtime/actor/server_id.ts";
import type { RemoteSession } from "./remote_session.ts";

/** What control commands work with. */
export interface ControlContext {
  /** The actors of the console. */
  readonly actors: ActorSystem;
  /** The server that the REPL is in. */
  readonly server: ServerId;
  readonly session: RemoteSession;
  /** The prefixes of the modules that the server itself finds. */
  readonly libraryPrefix: string[];
  /** How long each answer may take, in ms; where it is not given, as long as it takes. */
  readonly timeout?: number | undefined;
  /** Prints a line of the result. */
  print(line: string): void;
  /** Does what may take a capability in the server. */
  elevating<Result>(capability: string, work: () => Promise<Result>): Promise<Result>;
}

/** One control command. */
export interface ControlCommand {
  /** Its name, and other names for it. */
  readonly names: readonly string[];
  /** Each way to write it, and what it then does. */
  readonly forms: readonly (readonly [usage: string, description: string])[];
  /** Whether the REPL ends with it. */
  readonly ends?: boolean;
  /** Does it; undefined when the arguments are wrong. */
  run(args: readonly string[], context: ControlContext): Promise<void> | undefined;
}
