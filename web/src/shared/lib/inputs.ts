/** Images sent from this tab, by job, so that a result shows beside its input at once. Bounded. */
const inputs = new Map<string, File>();
const MAX = 200;

export function rememberInput(jobId: string, file: File): void {
  inputs.set(jobId, file);
  if (inputs.size > MAX) inputs.delete(inputs.keys().next().value as string);
}

export function inputOf(jobId: string): File | null {
  return inputs.get(jobId) ?? null;
}
