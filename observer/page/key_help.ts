/**
 * The dialog that shows what the keys do.
 *
 * @module
 */
import type { RefObject, VNode } from "npm:preact@^11.2.0";
import { KEYS } from "./keys.ts";
import { html } from "./markup.ts";

/** The dialog, which is opened through its reference. */
export function keyHelp(dialog: RefObject<HTMLDialogElement | null>): VNode {
  return html`
    <dialog ref=${dialog} class="key-help" aria-labelledby="key-help-title">
      <h2 id="key-help-title">Keys</h2>
      <dl>
        ${KEYS.map(([keys, action]) =>
          html`
            <div key=${keys}>
              <dt>${keys.split(" ").map((key) =>
                key === "…" ? " … " : html`<kbd>${key}</kbd>`
              )}</dt>
              <dd>${action}</dd>
            </div>
          `
        )}
      </dl>
      <form method="dialog"><button class="button">Close</button></form>
    </dialog>
  `;
}
