/**
 * Fits operations to a draft that others changed in the meantime. Changes of different members of an item are merged;
 * two changes of the same member are a conflict, which a person decides. Pure.
 */

import { isSame } from "./draft.js";

/**
 * Apply batches to a draft. Returns `{batches, conflicts}`: the batches with operations that fit, without those that
 * already hold, and the conflicts as `{id, base, mine, theirs}`. The draft has the batches applied then.
 */
export function rebase(draft, batches) {
  const conflicts = [];
  const fitted = batches.map((entry) => {
    const ops = entry.ops.flatMap((operation) => {
      const { id, before, after } = operation;
      const theirs = draft.item(id);
      const merged = isSame(theirs, before) ? { item: after } : mergedItem(before, after, theirs);
      if (!merged) {
        conflicts.push({ id, base: before, mine: after, theirs });
        return [];
      }
      if (isSame(theirs, merged.item)) return [];
      const fitting = { id, before: theirs, after: merged.item };
      draft.apply([fitting]);
      return [fitting];
    });
    return { ...entry, ops };
  });
  return { batches: fitted, conflicts };
}

/** Return the item with both changes, as `{item}`, or null if both changed the same. */
function mergedItem(base, mine, theirs) {
  if (isSame(mine, theirs)) return { item: mine };
  if (!base || !mine || !theirs) return null;
  const item = { ...theirs };
  for (const key of new Set([...Object.keys(base), ...Object.keys(mine)])) {
    if (isSameMember(base[key], mine[key])) continue;
    if (!isSameMember(base[key], theirs[key]) && !isSameMember(mine[key], theirs[key])) return null;
    item[key] = mine[key];
  }
  return { item };
}

function isSameMember(one, other) {
  return isSame({ value: one }, { value: other });
}
