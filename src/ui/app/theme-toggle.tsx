import { IconButton } from '../components/button';
import { Icon, type IconName } from '../components/icons';
import type { Theme } from '../stores/appearance-store';
import { useAppearance } from '../stores/studio-context';

const cycle: Record<Theme, { readonly next: Theme; readonly label: string; readonly icon: IconName }> = {
  system: { next: 'dark', label: 'Theme: as the system', icon: 'screen' },
  dark: { next: 'light', label: 'Theme: dark', icon: 'moon' },
  light: { next: 'system', label: 'Theme: light', icon: 'sun' },
};

export function ThemeToggle() {
  const theme = useAppearance((state) => state.theme);
  const setTheme = useAppearance((state) => state.setTheme);
  const { next, label, icon } = cycle[theme];
  return (
    <IconButton label={label} onClick={() => setTheme(next)}>
      <Icon name={icon} size={18} />
    </IconButton>
  );
}
