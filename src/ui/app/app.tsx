import { Tooltip } from 'radix-ui';
import { useEffect } from 'react';
import type { Studio } from '../stores/studio';
import { StudioContext, useView } from '../stores/studio-context';
import { useThemeOnDocument } from '../theme/use-shown-theme';
import styles from './app.module.css';
import { EngineDialog } from './engine-dialog';
import { ErrorBoundary } from './error-boundary';
import { Header } from './header';
import { panelById } from './panels';
import { ShortcutSheet } from './shortcut-sheet';
import { useAnnouncements } from './use-announcements';
import { useDocumentTitle } from './use-document-title';
import { usePanelRoute } from './use-panel-route';
import { useShortcuts } from './use-shortcuts';

const TOOLTIP_DELAY_MS = 500;

export function App({ studio }: { readonly studio: Studio }) {
  useEffect(() => studio.connect(), [studio]);
  useShortcuts(studio);
  return (
    <StudioContext value={studio}>
      <ErrorBoundary>
        <Tooltip.Provider delayDuration={TOOLTIP_DELAY_MS}>
          <Shell />
        </Tooltip.Provider>
      </ErrorBoundary>
    </StudioContext>
  );
}

function Shell() {
  const dialog = useView((state) => state.dialog);
  const { Content } = panelById(useView((state) => state.panel));
  const announcement = useView((state) => state.announcement);
  useThemeOnDocument();
  useDocumentTitle();
  useAnnouncements();
  usePanelRoute();
  return (
    <div className={styles.app}>
      <Header />
      <main className={styles.main}>
        <Content />
      </main>
      {dialog === 'engine' && <EngineDialog />}
      {dialog === 'shortcuts' && <ShortcutSheet />}
      <p role="status" className="visually-hidden">
        {announcement}
      </p>
    </div>
  );
}
