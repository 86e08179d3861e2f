/**
 * Lets one tab write. A second one reads along until it takes over; then the first one reads. Where a browser has no
 * locks (a page that is neither local nor encrypted), every tab writes, and the server tells them apart.
 */

/** Ask for the right to write; `onGain` and `onLoss` are called when it comes and goes. Returns how to take it over. */
export function lockTab(name, onGain, onLoss) {
  if (!navigator.locks) {
    onGain();
    return () => {};
  }
  const hold = (options) => navigator.locks.request(name, options, (lock) => {
    if (!lock) return onLoss();
    onGain();
    return new Promise(() => {}); // held for as long as the tab lives
  }).catch(onLoss); // another tab took it
  const wait = () => navigator.locks.request(name, () => {
    onGain();
    return new Promise(() => {});
  }).catch(onLoss);
  navigator.locks.query().then(({ held }) => {
    if (held.some((one) => one.name === name)) {
      onLoss();
      wait(); // until the other tab is closed
    } else hold({ ifAvailable: true });
  });
  return () => hold({ steal: true });
}
