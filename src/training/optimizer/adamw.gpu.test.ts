import './adamw.test';
