/**
 * A REPL session in this process.
 *
 * @module
 */
import { isIncomplete } from "../../../cli/repl/continuation.ts";
import { expand } from "../../../cli/repl/expansion.ts";
import { formatInputError, InputError, InputMap } from "../../../cli/repl/parsed_input.ts";
import type { ModuleNamespace } from "../../../runtime/code/library_table.ts";
import type { PreviewOptions } from "../../../runtime/repl/shown_value.ts";
import { ReplSession } from "../../../runtime/repl/repl_session.ts";

/** Evaluates inputs as the REPL does, and returns what it would print. */
export class TypedSession {
  /** The exports of the loaded modules, by module id. */
  readonly modules: Record<string, ModuleNamespace> = {};
  /** The session itself. */
  readonly session: ReplSession;
  readonly #inputs = new InputMap("test");
  readonly #preview: PreviewOptions;
  #input = 0;

  /** Opens a session. */
  constructor(preview: PreviewOptions = {}) {
    this.#preview = preview;
    this.session = new ReplSession("test", {
      namespace: (id) => this.modules[id],
      libraries: () => [],
      importLibrary: (specifier, attributes) =>
        import(specifier, attributes && { with: attributes }),
      restoreSources: (text) => text,
      commentBefore: () => undefined,
    }, {});
  }

  /** The number of the last input. */
  get lastInput(): number {
    return this.#input;
  }

  /**
   * Types an input; returns its result, its error without the stack frames of the test, or
   * undefined.
   */
  async type(source: string): Promise<string> {
    try {
      const { expansion, locate } = await expand(source, (specifier, attributes) =>
        Promise.resolve(
          URL.canParse(specifier)
            ? { kind: "library", specifier, ...(attributes && { attributes }) }
            : { kind: "module", specifier, ids: [specifier] },
        ));
      const input = ++this.#input;
      this.#inputs.add(input, locate);
      const { result, error } = await this.session.evaluate({
        input,
        expansion,
        preview: this.#preview,
      });
      return this.#inputs.restore(withoutTestFrames(result ?? error ?? ""));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return await isIncomplete(source) ? "..." : formatInputError(error, source);
    }
  }

  /** Types inputs; returns the output of the last one. */
  async typeAll(...sources: string[]): Promise<string> {
    let last = "";
    for (const source of sources) last = await this.type(source);
    return last;
  }
}

function withoutTestFrames(text: string): string {
  const isOwn = (line: string) => !/^\s+at .*(?:\/tests\/cli\/repl\/|\/ext:)/.test(line);
  return text.split("\n").filter(isOwn).join("\n");
}
