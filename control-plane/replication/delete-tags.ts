import { settleDeletion } from '../../registry/copy/settle.ts'
import type { Tag } from '../../registry/spec/names.ts'
import { forgetDelivery } from '../../schema/deliveries.ts'
import { actsByItself, said } from './settled.ts'
import type { Work } from './work.ts'

/** Deletes at the destination those tags of a task that the source does not have (any more). */
export async function deleteTags(work: Work): Promise<void> {
  const { payload, source, task, signal } = work
  const { manifests } = source.open(signal, 'system').repository(payload.repository)
  for (const tag of payload.tags) {
    // Pushed again since: that has told of itself, and this task may be later than the one which copies it.
    if (await manifests.stat({ tag })) task.line('INFO', `${payload.repository}:${tag} is there again, and stays at the destination.`)
    else await deleteTag(work, tag)
  }
}

export async function deleteTag({ db, policy, payload, source, destination, task, signal, onWait }: Work, tag: Tag): Promise<void> {
  const actor = `replication:${policy.id}`
  const from = source.open(signal, actor).repository(payload.repository)
  const to = destination.open(signal, actor, { onWait }).repository(payload.destination)
  const settled = actsByItself(policy) ? await settleDeletion(from, to, tag, tag) : undefined
  const outcome = settled === undefined ? ((await to.tags.delete(tag)) ? 'is deleted' : 'was not there') : said(settled)
  task.line('INFO', `${payload.destination}:${tag} ${outcome}.`)
  if (settled !== undefined && settled.outcome !== 'deleted') return
  const { destinationEndpointId: endpointId } = policy
  if (endpointId !== null) await forgetDelivery(db, { endpointId, destination: payload.destination, tag })
}
