import { Component, type ReactNode } from 'react';
import { Button } from '../components/button';
import { Notice } from '../components/notice';
import styles from './app.module.css';

interface ErrorBoundaryProps {
  readonly children: ReactNode;
}

interface ErrorBoundaryState {
  readonly error: Error | null;
}

/** A bug in the page leaves a sentence and a way out instead of an empty window. */
export class ErrorBoundary extends Component<ErrorBoundaryProps, ErrorBoundaryState> {
  override state: ErrorBoundaryState = { error: null };

  static getDerivedStateFromError(error: unknown): ErrorBoundaryState {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (!error) return this.props.children;
    return (
      <main className={styles.broken}>
        <Notice
          kind="error"
          title="The page broke"
          actions={<Button onClick={() => location.reload()}>Reload the page</Button>}
        >
          <p>{error.message}</p>
          <p>Settings and imported models are kept. If it happens again, report the message above.</p>
        </Notice>
      </main>
    );
  }
}
