import { useAction } from '../../app/use-action';
import { IconButton } from '../../components/button';
import { describedBy, Field } from '../../components/field';
import { Icon } from '../../components/icons';
import { NumberInput } from '../../components/number-input';
import { useSettings } from '../../stores/studio-context';
import styles from './seed-field.module.css';

export function SeedField({ error }: { readonly error: string | undefined }) {
  const seed = useSettings((state) => state.seed);
  const locked = useSettings((state) => state.seedLocked);
  const set = useSettings((state) => state.set);
  const reroll = useAction('reroll-seed');
  const lock = useAction('lock-seed');
  return (
    <Field
      id="seed"
      label="Seed"
      error={error}
      hint={locked ? 'locked: makes the same sound again' : 'drawn anew for each generation'}
    >
      <div className={styles.row}>
        <NumberInput
          id="seed"
          inputMode="numeric"
          value={seed}
          invalid={error !== undefined}
          describedBy={describedBy('seed', { hint: true, error: error !== undefined })}
          // A seed that somebody typed is one they mean to use.
          onChange={(next) => set({ seed: next, seedLocked: true })}
        />
        <IconButton
          label={locked ? 'Unlock the seed' : 'Lock the seed'}
          aria-pressed={locked}
          shortcut={lock.shortcut}
          onClick={lock.run}
        >
          {locked ? <Icon name="lock" /> : <Icon name="unlock" />}
        </IconButton>
        <IconButton label={reroll.label} shortcut={reroll.shortcut} onClick={reroll.run}>
          <Icon name="dice" />
        </IconButton>
      </div>
    </Field>
  );
}
