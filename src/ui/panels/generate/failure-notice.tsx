import { Button } from '../../components/button';
import { Icon } from '../../components/icons';
import { Notice } from '../../components/notice';
import { helpFor } from '../../stores/failure';
import type { Generation } from '../../stores/generation-store';
import { useGenerations } from '../../stores/studio-context';

/** Why a generation has fewer takes than were asked for, and the way to the rest of them. */
export function FailureNotice({ generation }: { readonly generation: Generation }) {
  const retry = useGenerations((state) => state.retry);
  const busy = useGenerations((state) => state.runningId !== null);
  const { id, status, failure, takes, request } = generation;
  const missing = request.count - takes.length;

  const again = (label: string) => (
    <Button size="small" icon={<Icon name="retry" />} disabled={busy} onClick={() => void retry(id)}>
      {label}
    </Button>
  );

  if (status === 'cancelled') {
    const kept =
      takes.length > 0 ? `${takes.length} of ${request.count} takes were finished and kept.` : undefined;
    return (
      <Notice
        kind="info"
        title="Cancelled"
        actions={again(
          takes.length > 0
            ? missing === 1
              ? 'Make the other take'
              : `Make the other ${missing} takes`
            : 'Start again',
        )}
      >
        {kept && <p>{kept}</p>}
      </Notice>
    );
  }
  if (status !== 'failed' || !failure) return null;
  const help = helpFor(failure.code);
  return (
    <Notice kind="error" title={help.title} actions={help.retry && again('Try again')}>
      <p>{failure.message}</p>
      <p>{help.whatToDo}</p>
    </Notice>
  );
}
