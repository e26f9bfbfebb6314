import './audioldm2-adapter.test';
