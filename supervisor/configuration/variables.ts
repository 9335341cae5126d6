/**
 * Environment variables in texts of a configuration: `${NAME}`, and `${NAME:-default}` for one that
 * may be unset or empty. `$${` stands for the text `${`.
 *
 * @module
 */
import { didYouMean, nearest } from "../../runtime/near_names.ts";
import type { ConfigurationDocument, FieldPath } from "./document.ts";
import type { Place } from "./shapes.ts";

const REFERENCE = /\$\$\{|\$\{([A-Za-z_]\w*)(?:(:-)([^{}]*))?\}|\$\{/g;

/** The result of an expansion. */
export interface ExpandedText {
  /** The text. A variable without a value stays as it is written. */
  readonly text: string;
  /** Whether all variables had values. */
  readonly isExpanded: boolean;
}

/** The variables that a configuration refers to. */
export class Variables {
  readonly #values: Readonly<Record<string, string>>;
  /** The variables that are not set, by the path of the text. */
  readonly #unset: { readonly path: FieldPath; readonly name: string }[] = [];

  /** Takes variables from an environment. */
  constructor(values: Readonly<Record<string, string>>) {
    this.#values = values;
  }

  /** Expands a text of the file. Reports a malformed reference, and then returns undefined. */
  expand({ node, path, document }: Place): ExpandedText | undefined {
    let isExpanded = true;
    let isMalformed = false;
    const text = String(node.value).replaceAll(
      REFERENCE,
      (found: string, name?: string, hasDefault?: string, fallback = "") => {
        if (found === "$${") return "${";
        if (name === undefined) {
          isMalformed = true;
          return found;
        }
        const value = Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
        if (hasDefault !== undefined) return value || fallback;
        if (value !== undefined) return value;
        isExpanded = false;
        this.#unset.push({ path, name });
        return found;
      },
    );
    if (isMalformed) {
      document.error(
        path,
        "not a variable: write ${NAME} or ${NAME:-default}; for the text ${ itself, write $${",
      );
      return undefined;
    }
    return { text, isExpanded };
  }

  /**
   * Reports the variables that are not set, in those places that matter: a variable may be set only
   * on the host where a server runs.
   */
  reportUnset(document: ConfigurationDocument, matters: (path: FieldPath) => boolean): void {
    for (const { path, name } of this.#unset) {
      if (!matters(path)) continue;
      document.error(
        path,
        `the environment variable ${name} is not set: set it, or write \${${name}:-default}${
          didYouMean(nearest(name, Object.keys(this.#values)))
        }`,
      );
    }
  }
}
