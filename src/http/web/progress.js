// Waiting for a job of the server while saying how far it is.

import { follow } from './api.js';
import { notice } from './dom.js';

const words = ({ phase, current, total, message }) => message || (total ? `${phase}: ${current} of ${total}` : phase);

// Resolves with the last word of the job; rejects with its reason when it failed.
export function runJob(progressKey, title) {
  notice(`${title}...`);
  return new Promise((resolve, reject) => {
    follow(`/api/v1/job-progress/events?progress_key=${encodeURIComponent(progressKey)}`, (event, data) => {
      if (event === 'progress') notice(`${title}: ${words(data)}`);
      else if (event === 'complete') {
        notice(`${title}: done.`);
        resolve(data);
      } else reject(new Error(data.error || data.message || `${title} failed.`));
    });
  });
}

