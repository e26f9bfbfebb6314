import './geglu.test';
