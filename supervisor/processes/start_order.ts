/**
 * The order in which servers are started; they are stopped in the reverse order.
 *
 * @module
 */
import type { ServerPlan } from "./server_plan.ts";

/**
 * Sorts servers so that each comes after those in its `after`. Otherwise they stay in their order,
 * and so do those that wait for each other.
 */
export function startOrder(plans: readonly Pick<ServerPlan, "id" | "after">[]): string[] {
  const ids = new Set(plans.map(({ id }) => id));
  const order = new Set<string>();
  let left = plans;
  while (left.length > 0) {
    const ready = left.filter(({ after }) => after.every((id) => order.has(id) || !ids.has(id)));
    for (const { id } of ready.length > 0 ? ready : left) order.add(id);
    left = left.filter(({ id }) => !order.has(id));
  }
  return [...order];
}
