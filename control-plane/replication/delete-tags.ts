import type { Tag } from '../../registry/spec/names.ts'
import { forgetDelivery } from '../../schema/deliveries.ts'
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

export async function deleteTag({ db, policy, payload, destination, task, signal }: Work, tag: Tag): Promise<void> {
  const { tags } = destination.open(signal, `replication:${policy.id}`).repository(payload.destination)
  task.line('INFO', (await tags.delete(tag)) ? `${payload.destination}:${tag} is deleted.` : `${payload.destination}:${tag} was not there.`)
  const { destinationEndpointId: endpointId } = policy
  if (endpointId !== null) await forgetDelivery(db, { endpointId, destination: payload.destination, tag })
}
