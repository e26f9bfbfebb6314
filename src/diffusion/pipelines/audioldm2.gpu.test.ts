import './audioldm2.test';
