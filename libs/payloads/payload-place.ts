/** Binds a payload record to the event that it belongs to: a record moved to another event does not open. */
export function payloadPlace(event: { readonly stream: string; readonly revision: number }): string {
  return `${event.stream}@${event.revision}`;
}
