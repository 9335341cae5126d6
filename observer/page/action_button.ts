/**
 * A button for an action, which the operator confirms in the terminal of the observer.
 *
 * @module
 */
import type { VNode } from "npm:preact@^11.2.0";
import { useState } from "npm:preact@^11.2.0/hooks";
import { act } from "./feed.ts";
import { element, html } from "./markup.ts";
import type { ActionRequest } from "./page_protocol.ts";

/** Properties of an {@linkcode actionButton}. */
export interface ActionButtonProps {
  /** Its text. */
  readonly text: string;
  /** What it does, for screen readers and as a tooltip. */
  readonly meaning: string;
  /** The action. */
  readonly request: ActionRequest;
  /** The token for actions. */
  readonly token: string;
}

/** The button, and what became of the action. */
export function actionButton(props: ActionButtonProps): VNode {
  return element(ActionButton, props);
}

type Outcome = { readonly kind: "done" | "declined" | "failed" | "waiting"; readonly text: string };

function ActionButton({ text, meaning, request, token }: ActionButtonProps): VNode {
  const [outcome, setOutcome] = useState<Outcome>();
  const ask = async () => {
    setOutcome({ kind: "waiting", text: "Confirm it in the terminal …" });
    try {
      const { outcome, message } = await act(request, token);
      setOutcome({ kind: outcome, text: message });
    } catch (error) {
      setOutcome({ kind: "failed", text: (error as Error).message });
    }
  };
  return html`
    <span class="action">
      <button
        type="button"
        class="button"
        aria-label=${meaning}
        title=${meaning}
        disabled=${outcome?.kind === "waiting"}
        onClick=${ask}
      >${text}</button>
      <span class=${`outcome outcome-${outcome?.kind}`} role="status">${outcome?.text}</span>
    </span>
  `;
}
