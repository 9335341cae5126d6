/**
 * What the `gxensemble` executable does with its arguments.
 *
 * @module
 */
import { CommanderError } from "npm:@commander-js/extra-typings@^15.1.0";
import { DisconnectedError, EnsembleError, TimeoutError } from "../runtime/errors.ts";
import { printError, printNotice } from "./kit/output.ts";
import { createProgram } from "./program.ts";
import { UsageError } from "./kit/command_line.ts";

/**
 * Runs a command line.
 *
 * @param args the arguments after the name of the program.
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage.
 */
export async function runCommandLine(args: string[]): Promise<number> {
  const program = createProgram();
  let logLevel: unknown;
  program.hook("preAction", (_, command) => {
    logLevel = command.opts().log;
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof UsageError) return reportUsage(error);
    // The help or the version was printed: without any arguments the help is an answer to a mistake.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    reportFailure(await explain(error), logLevel);
    return 1;
  }
}

/** Says which process does not answer a server that is being started; commands that only ask have said so already. */
async function explain(error: unknown): Promise<unknown> {
  const mayBeSilence = error instanceof DisconnectedError || error instanceof TimeoutError;
  if (!mayBeSilence || !error.silence) return error;
  const { explainSilence } = await import("./kit/console.ts");
  return await explainSilence(error);
}

function reportUsage(error: UsageError): number {
  printError(error.message);
  printNotice(`see ${error.help}`);
  return 2;
}

function reportFailure(error: unknown, logLevel: unknown): void {
  const isExpected = error instanceof EnsembleError;
  const message = error instanceof Error ? error.message : String(error);
  printError(isExpected ? message : `unexpected: ${message}`);
  if (logLevel === "debug") printNotice(Deno.inspect(error, { colors: false }));
  else if (!isExpected && logLevel !== undefined) printNotice("see where with --log DEBUG");
}
