import './attention.test';
