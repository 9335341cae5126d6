/**
 * The page's markup: templates that become elements. A value in a template is always text, an
 * attribute or an element, and never markup, wherever it comes from.
 *
 * @module
 */
import { type ComponentType, h, type VNode } from "npm:preact@^11.2.0";
import htm from "npm:htm@^3.1.1";

type Template = (strings: TemplateStringsArray, ...values: unknown[]) => VNode;

// Its types describe its CommonJS build, which has the function as `default`.
const { bind } = htm as unknown as typeof htm.default;

/** Makes the element of a template: `` html`<p class="note">${text}</p>` ``. It has one root. */
export const html: Template = bind.call(htm, h) as Template;

/** Makes the element of a component, whose properties are checked, unlike in a template. */
export function element<Props extends object>(
  component: ComponentType<Props>,
  props: Props & { readonly key?: string },
): VNode {
  return h(component as ComponentType<object>, props);
}
